"""Made by `python -m orderstate.store.statements` from the tables; do not edit. A test compiles it again."""

# ruff: noqa: E501 - one statement a line
from __future__ import annotations

from typing import NamedTuple


class Statements(NamedTuple):
    """The everyday statements of one dialect. The comment behind each names its parameters in order.

    A tuple, as every command imports it: to make a dataclass of so many fields takes three times as long.
    """

    order_read: str  # id
    order_lock: str  # id
    order_at: str  # id
    order_insert: str  # id, state, version, placed_at, entered_at, destination, short, contact, parent
    order_move: str  # state, version, entered_at, k_serial, k_version
    order_redirect: str  # destination, k_serial
    children_read: str  # parent
    order_ids_like: str  # low, high, n
    lines_read: str  # serial
    line_insert: str  # serial, sku, quantity, cancelled
    line_update: str  # quantity, cancelled, k_serial, k_sku
    line_delete: str  # serial, sku
    list_all: str  # placed_at, id, state, state, sku, sku, facility, facility, n
    list_state: str  # in_state, placed_at, id, sku, sku, facility, facility, n
    list_oldest: str  # in_state, placed_at, id, sku, sku, facility, facility, n
    list_due: str  # state, entered_before, entered_at, id, n
    list_entered: str  # in_state, entered_before, entered_at, id, sku, sku, facility, facility, n
    list_sku: str  # sku, serial, state, state, facility, facility, n
    list_facility: str  # facility, serial, state, state, sku, sku, n
    waiting_for: str  # sku, state, n
    allocations_read: str  # serial
    allocation_insert: str  # serial, facility, sku, pool, units
    allocations_delete: str  # serial
    allocation_delete: str  # serial, facility, sku, pool
    allocation_update: str  # units, k_serial, k_facility, k_sku, k_pool
    shipment_insert: str  # serial, facility, shipped_at, units
    shipments_read: str  # serial
    holders: str  # facility, sku, pool, state
    stock_for_order: str  # serial
    stock_take: str  # units, k_sku, k_facility, k_pool, k_least
    stock_release: str  # units, k_sku, k_facility, k_pool, k_least
    stock_ship: str  # left, units, k_sku, k_facility, k_pool, k_least
    stock_receive: str  # sku, facility, pool, on_hand
    stock_count: str  # on_hand, k_sku, k_facility, k_pool, k_on_hand
    stock_safety: str  # safety, k_sku, k_facility, k_pool
    stock_row: str  # sku, facility, pool
    stock_all: str  # sku, facility, pool, n
    stock_of_sku: str  # sku
    stock_of_facility: str  # facility, sku, pool, n
    sku_known: str  # code, grams
    sku_read: str  # code
    sku_weigh: str  # grams, k_code
    sku_codes: str  # low, high, n
    movement_insert: str  # subject, number, facility, sku, pool, kind, on_hand, allocated, at
    event_insert: str  # subject, number, type, at, role, by, trigger, source, target, payload
    deliveries_next: str  # subscriber, now, n
    deliveries_oldest: str  # subscriber, event, n
    delivery_due: str  # subscriber
    delivery_insert: str  # subscriber, event, subject, due
    delivery_claim: str  # due, attempts, claim, k_subscriber, k_event
    delivery_release: str  # due, k_subscriber, k_event, k_claim
    delivery_skip: str  # error, delivered, k_subscriber, k_event
    delivery_done: str  # attempts, delivered, k_subscriber, k_event, k_claim
    delivery_later: str  # due, attempts, error, k_subscriber, k_event, k_claim
    delivery_park: str  # attempts, error, parked, k_subscriber, k_event, k_claim
    delivery_again: str  # due, k_subscriber, k_event
    deliveries_of: str  # subscriber, event
    deliveries_parked: str  # from, parked, subscriber, event, n
    delivery_held: str  # subscriber
    delivery_backlog: str  # subscriber
    delivery_parked_count: str  # subscriber
    delivery_failing: str  # subscriber
    delivery_behind: str  # subscriber, subject, event
    deliveries_fill: str  # subscriber, after, upto, type, type, of
    deliveries_drop: str  # subscriber
    subscribers_read: str  # none
    subscriber_set: str  # name, kind, target, types, enabled
    subscriber_delete: str  # name
    event_at: str  # subject, number
    events_after: str  # id, type, type, at, n
    events_before: str  # id, type, type, at, n
    events_about: str  # subject, number, type, type, at, n
    event_last: str  # none
    inbox_read: str  # source, id
    inbox_write: str  # source, id, at, type, body, error, done, parked
    inbox_parked: str  # n
    events_read: str  # subject, number
    payloads_back: str  # subject
    refusal_count: str  # serial, trigger, codes, first_at, last_at
    refusals_read: str  # serial
    key_read: str  # key
    key_insert: str  # key, fingerprint, answer, at
    facilities_read: str  # none
    facility_read: str  # code
    facility_insert: str  # code, country, latitude, longitude, name, gateway, priority, closed, costs, version
    facility_update: str  # country, latitude, longitude, name, gateway, priority, closed, costs, k_code
    facility_number: str  # k_code
    settings_read: str  # none
    setting_read: str  # key
    setting_set: str  # key, value
    setting_delete: str  # key
    counter_next: str  # k_name
    counter_raise: str  # value, k_name, value
    counter_read: str  # name
    check_ledger: str  # none
    check_oversold: str  # none
    check_held: str  # state
    check_allocated: str  # none
    check_numbers: str  # none
    check_states: str  # none
    count_states: str  # none
    count_policies: str  # state
    count_middle: str  # state, before
    count_all: str  # none


SQLITE = Statements(
    order_read="SELECT orders.serial, orders.id, orders.state, orders.version, orders.placed_at, orders.entered_at, orders.destination, orders.short, orders.contact, orders.parent FROM orders WHERE orders.id = ?",
    order_lock="SELECT orders.serial, orders.id, orders.state, orders.version, orders.placed_at, orders.entered_at, orders.destination, orders.short, orders.contact, orders.parent FROM orders WHERE orders.id = ?",
    order_at="SELECT orders.placed_at, orders.id, orders.serial, orders.entered_at FROM orders WHERE orders.id = ?",
    order_insert="INSERT INTO orders (id, state, version, placed_at, entered_at, destination, short, contact, parent) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING serial",
    order_move="UPDATE orders SET state=?, version=?, entered_at=? WHERE orders.serial = ? AND orders.version = ?",
    order_redirect="UPDATE orders SET destination=? WHERE orders.serial = ?",
    children_read="SELECT orders.id, orders.state FROM orders WHERE orders.parent = ? ORDER BY orders.serial",
    order_ids_like="SELECT orders.id FROM orders WHERE orders.id >= ? AND orders.id < ? ORDER BY orders.id LIMIT ? OFFSET 0",
    lines_read="SELECT order_line.sku, order_line.quantity, order_line.cancelled, sku.grams FROM order_line JOIN sku ON sku.code = order_line.sku WHERE order_line.serial = ? ORDER BY order_line.sku",
    line_insert="INSERT INTO order_line (serial, sku, quantity, cancelled) VALUES (?, ?, ?, ?)",
    line_update="UPDATE order_line SET quantity=?, cancelled=? WHERE order_line.serial = ? AND order_line.sku = ?",
    line_delete="DELETE FROM order_line WHERE order_line.serial = ? AND order_line.sku = ?",
    list_all="SELECT orders.serial, orders.id, orders.state, orders.version, orders.placed_at, orders.entered_at, orders.destination, orders.parent, (SELECT coalesce(sum(order_line.quantity - order_line.cancelled), 0) AS coalesce_1 FROM order_line WHERE order_line.serial = orders.serial) AS anon_1 FROM orders WHERE (orders.placed_at, orders.id) < (?, ?) AND (CAST(? AS TEXT) IS NULL OR orders.state = CAST(? AS TEXT)) AND (CAST(? AS TEXT) IS NULL OR (EXISTS (SELECT * FROM order_line WHERE order_line.serial = orders.serial AND order_line.sku = CAST(? AS TEXT)))) AND (CAST(? AS TEXT) IS NULL OR (EXISTS (SELECT * FROM allocation WHERE allocation.serial = orders.serial AND allocation.facility = CAST(? AS TEXT)))) ORDER BY orders.placed_at DESC, orders.id DESC LIMIT ? OFFSET 0",
    list_state="SELECT orders.serial, orders.id, orders.state, orders.version, orders.placed_at, orders.entered_at, orders.destination, orders.parent, (SELECT coalesce(sum(order_line.quantity - order_line.cancelled), 0) AS coalesce_1 FROM order_line WHERE order_line.serial = orders.serial) AS anon_1 FROM orders WHERE orders.state = ? AND (orders.placed_at, orders.id) < (?, ?) AND (CAST(? AS TEXT) IS NULL OR (EXISTS (SELECT * FROM order_line WHERE order_line.serial = orders.serial AND order_line.sku = CAST(? AS TEXT)))) AND (CAST(? AS TEXT) IS NULL OR (EXISTS (SELECT * FROM allocation WHERE allocation.serial = orders.serial AND allocation.facility = CAST(? AS TEXT)))) ORDER BY orders.placed_at DESC, orders.id DESC LIMIT ? OFFSET 0",
    list_oldest="SELECT orders.serial, orders.id, orders.state, orders.version, orders.placed_at, orders.entered_at, orders.destination, orders.parent, (SELECT coalesce(sum(order_line.quantity - order_line.cancelled), 0) AS coalesce_1 FROM order_line WHERE order_line.serial = orders.serial) AS anon_1 FROM orders WHERE orders.state = ? AND (orders.placed_at, orders.id) > (?, ?) AND (CAST(? AS TEXT) IS NULL OR (EXISTS (SELECT * FROM order_line WHERE order_line.serial = orders.serial AND order_line.sku = CAST(? AS TEXT)))) AND (CAST(? AS TEXT) IS NULL OR (EXISTS (SELECT * FROM allocation WHERE allocation.serial = orders.serial AND allocation.facility = CAST(? AS TEXT)))) ORDER BY orders.placed_at ASC, orders.id ASC LIMIT ? OFFSET 0",
    list_due="SELECT orders.serial, orders.id, orders.version, orders.entered_at FROM orders WHERE orders.state = ? AND orders.entered_at <= ? AND (orders.entered_at, orders.id) > (?, ?) ORDER BY orders.entered_at ASC, orders.id ASC LIMIT ? OFFSET 0",
    list_entered="SELECT orders.serial, orders.id, orders.state, orders.version, orders.placed_at, orders.entered_at, orders.destination, orders.parent, (SELECT coalesce(sum(order_line.quantity - order_line.cancelled), 0) AS coalesce_1 FROM order_line WHERE order_line.serial = orders.serial) AS anon_1 FROM orders WHERE orders.state = ? AND orders.entered_at <= ? AND (orders.entered_at, orders.id) > (?, ?) AND (CAST(? AS TEXT) IS NULL OR (EXISTS (SELECT * FROM order_line WHERE order_line.serial = orders.serial AND order_line.sku = CAST(? AS TEXT)))) AND (CAST(? AS TEXT) IS NULL OR (EXISTS (SELECT * FROM allocation WHERE allocation.serial = orders.serial AND allocation.facility = CAST(? AS TEXT)))) ORDER BY orders.entered_at ASC, orders.id ASC LIMIT ? OFFSET 0",
    list_sku="SELECT orders.serial, orders.id, orders.state, orders.version, orders.placed_at, orders.entered_at, orders.destination, orders.parent, (SELECT coalesce(sum(order_line.quantity - order_line.cancelled), 0) AS coalesce_1 FROM order_line WHERE order_line.serial = orders.serial) AS anon_1 FROM orders JOIN order_line AS wanted ON wanted.serial = orders.serial WHERE wanted.sku = ? AND wanted.serial < ? AND (CAST(? AS TEXT) IS NULL OR orders.state = CAST(? AS TEXT)) AND (CAST(? AS TEXT) IS NULL OR (EXISTS (SELECT * FROM allocation WHERE allocation.serial = orders.serial AND allocation.facility = CAST(? AS TEXT)))) ORDER BY wanted.serial DESC LIMIT ? OFFSET 0",
    list_facility="SELECT orders.serial, orders.id, orders.state, orders.version, orders.placed_at, orders.entered_at, orders.destination, orders.parent, (SELECT coalesce(sum(order_line.quantity - order_line.cancelled), 0) AS coalesce_1 FROM order_line WHERE order_line.serial = orders.serial) AS anon_1 FROM orders JOIN allocation AS held ON held.serial = orders.serial WHERE held.facility = ? AND held.serial < ? AND NOT (EXISTS (SELECT * FROM allocation AS other WHERE other.serial = held.serial AND other.facility = held.facility AND (other.sku, other.pool) < (held.sku, held.pool))) AND (CAST(? AS TEXT) IS NULL OR orders.state = CAST(? AS TEXT)) AND (CAST(? AS TEXT) IS NULL OR (EXISTS (SELECT * FROM order_line WHERE order_line.serial = orders.serial AND order_line.sku = CAST(? AS TEXT)))) ORDER BY held.serial DESC LIMIT ? OFFSET 0",
    waiting_for="SELECT orders.id, orders.placed_at, order_line.quantity - order_line.cancelled AS anon_1 FROM orders JOIN order_line ON order_line.serial = orders.serial AND order_line.sku = ? WHERE orders.state = ? AND order_line.quantity > order_line.cancelled ORDER BY orders.placed_at ASC, orders.id ASC LIMIT ? OFFSET 0",
    allocations_read="SELECT allocation.facility, allocation.sku, allocation.pool, allocation.units FROM allocation WHERE allocation.serial = ? ORDER BY allocation.facility, allocation.sku, allocation.pool",
    allocation_insert="INSERT INTO allocation (serial, facility, sku, pool, units) VALUES (?, ?, ?, ?, ?)",
    allocations_delete="DELETE FROM allocation WHERE allocation.serial = ?",
    allocation_delete="DELETE FROM allocation WHERE allocation.serial = ? AND allocation.facility = ? AND allocation.sku = ? AND allocation.pool = ?",
    allocation_update="UPDATE allocation SET units=? WHERE allocation.serial = ? AND allocation.facility = ? AND allocation.sku = ? AND allocation.pool = ?",
    shipment_insert="INSERT INTO shipment (serial, facility, shipped_at, units) VALUES (?, ?, ?, ?)",
    shipments_read="SELECT shipment.facility, shipment.shipped_at, shipment.units FROM shipment WHERE shipment.serial = ? ORDER BY shipment.facility",
    holders="SELECT orders.id, orders.state, allocation.units FROM allocation JOIN orders ON orders.serial = allocation.serial WHERE allocation.facility = ? AND allocation.sku = ? AND allocation.pool = ? AND orders.state = ? ORDER BY orders.placed_at DESC, orders.id DESC",
    stock_for_order="SELECT stock.facility, stock.sku, stock.pool, (stock.on_hand - stock.allocated) - stock.safety AS anon_1 FROM stock JOIN order_line ON order_line.sku = stock.sku WHERE order_line.serial = ? AND order_line.quantity > order_line.cancelled AND (stock.on_hand - stock.allocated) - stock.safety > 0 ORDER BY stock.facility, stock.sku, stock.pool",
    stock_take="UPDATE stock SET allocated=(stock.allocated + ?) WHERE stock.sku = ? AND stock.facility = ? AND stock.pool = ? AND (stock.on_hand - stock.allocated) - stock.safety >= ?",
    stock_release="UPDATE stock SET allocated=(stock.allocated - ?) WHERE stock.sku = ? AND stock.facility = ? AND stock.pool = ? AND stock.allocated >= ?",
    stock_ship="UPDATE stock SET on_hand=(stock.on_hand - ?), allocated=(stock.allocated - ?) WHERE stock.sku = ? AND stock.facility = ? AND stock.pool = ? AND stock.allocated >= ?",
    stock_receive="INSERT INTO stock (sku, facility, pool, on_hand, allocated, safety) VALUES (?, ?, ?, ?, 0, 0) ON CONFLICT (sku, facility, pool) DO UPDATE SET on_hand = (stock.on_hand + excluded.on_hand)",
    stock_count="UPDATE stock SET on_hand=? WHERE stock.sku = ? AND stock.facility = ? AND stock.pool = ? AND stock.allocated <= ?",
    stock_safety="UPDATE stock SET safety=? WHERE stock.sku = ? AND stock.facility = ? AND stock.pool = ?",
    stock_row="SELECT stock.on_hand, stock.allocated, stock.safety FROM stock WHERE stock.sku = ? AND stock.facility = ? AND stock.pool = ?",
    stock_all="SELECT stock.facility, stock.sku, stock.pool, stock.on_hand, stock.allocated, stock.safety FROM stock WHERE (stock.sku, stock.facility, stock.pool) > (?, ?, ?) ORDER BY stock.sku, stock.facility, stock.pool LIMIT ? OFFSET 0",
    stock_of_sku="SELECT stock.facility, stock.sku, stock.pool, stock.on_hand, stock.allocated, stock.safety FROM stock WHERE stock.sku = ? ORDER BY stock.facility, stock.pool",
    stock_of_facility="SELECT stock.facility, stock.sku, stock.pool, stock.on_hand, stock.allocated, stock.safety FROM stock WHERE stock.facility = ? AND (stock.sku, stock.pool) > (?, ?) ORDER BY stock.sku, stock.pool LIMIT ? OFFSET 0",
    sku_known="INSERT INTO sku (code, grams) VALUES (?, ?) ON CONFLICT (code) DO NOTHING",
    sku_read="SELECT sku.grams FROM sku WHERE sku.code = ?",
    sku_weigh="UPDATE sku SET grams=? WHERE sku.code = ?",
    sku_codes="SELECT sku.code FROM sku WHERE sku.code >= ? AND sku.code < ? ORDER BY sku.code LIMIT ? OFFSET 0",
    movement_insert="INSERT INTO movement (subject, number, facility, sku, pool, kind, on_hand, allocated, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    event_insert='INSERT INTO event (subject, number, type, at, role, "by", "trigger", source, target, payload) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id',
    deliveries_next='SELECT delivery.subscriber, delivery.event, delivery.attempts, delivery.due, delivery.error, delivery.delivered, delivery.parked, delivery.claim, event.subject, event.number, event.type, event.at, event.role, event."by", event."trigger", event.source, event.target, event.payload FROM delivery JOIN event ON event.id = delivery.event WHERE delivery.subscriber = ? AND delivery.delivered IS NULL AND delivery.parked IS NULL AND delivery.due <= ? AND NOT (EXISTS (SELECT 1 FROM delivery AS older WHERE older.subscriber = delivery.subscriber AND older.subject = delivery.subject AND older.delivered IS NULL AND older.event < delivery.event)) ORDER BY delivery.due, delivery.event LIMIT ? OFFSET 0',
    deliveries_oldest='SELECT delivery.subscriber, delivery.event, delivery.attempts, delivery.due, delivery.error, delivery.delivered, delivery.parked, delivery.claim, event.subject, event.number, event.type, event.at, event.role, event."by", event."trigger", event.source, event.target, event.payload FROM delivery JOIN event ON event.id = delivery.event WHERE delivery.subscriber = ? AND delivery.delivered IS NULL AND delivery.parked IS NULL AND delivery.event > ? ORDER BY delivery.event LIMIT ? OFFSET 0',
    delivery_due="SELECT delivery.due FROM delivery WHERE delivery.subscriber = ? AND delivery.delivered IS NULL AND delivery.parked IS NULL AND NOT (EXISTS (SELECT 1 FROM delivery AS older WHERE older.subscriber = delivery.subscriber AND older.subject = delivery.subject AND older.delivered IS NULL AND older.event < delivery.event)) ORDER BY delivery.due LIMIT 1 OFFSET 0",
    delivery_insert="INSERT INTO delivery (subscriber, event, subject, due, attempts) VALUES (?, ?, ?, ?, 0)",
    delivery_claim="UPDATE delivery SET due=?, attempts=?, claim=? WHERE delivery.subscriber = ? AND delivery.event = ? AND delivery.delivered IS NULL AND delivery.parked IS NULL",
    delivery_release="UPDATE delivery SET due=?, claim=NULL WHERE delivery.subscriber = ? AND delivery.event = ? AND delivery.claim IS ?",
    delivery_skip="UPDATE delivery SET claim=NULL, error=?, delivered=?, parked=NULL WHERE delivery.subscriber = ? AND delivery.event = ? AND delivery.delivered IS NULL",
    delivery_done="UPDATE delivery SET attempts=?, claim=NULL, error=NULL, delivered=? WHERE delivery.subscriber = ? AND delivery.event = ? AND delivery.claim IS ?",
    delivery_later="UPDATE delivery SET due=?, attempts=?, claim=NULL, error=? WHERE delivery.subscriber = ? AND delivery.event = ? AND delivery.claim IS ?",
    delivery_park="UPDATE delivery SET attempts=?, claim=NULL, error=?, parked=? WHERE delivery.subscriber = ? AND delivery.event = ? AND delivery.claim IS ?",
    delivery_again="UPDATE delivery SET due=?, attempts=0, claim=NULL, error=NULL, delivered=NULL, parked=NULL WHERE delivery.subscriber = ? AND delivery.event = ?",
    deliveries_of='SELECT delivery.subscriber, delivery.event, delivery.attempts, delivery.due, delivery.error, delivery.delivered, delivery.parked, delivery.claim, event.subject, event.number, event.type, event.at, event.role, event."by", event."trigger", event.source, event.target, event.payload FROM delivery JOIN event ON event.id = delivery.event WHERE delivery.subscriber = ? AND delivery.event = ?',
    deliveries_parked='SELECT delivery.subscriber, delivery.event, delivery.attempts, delivery.due, delivery.error, delivery.delivered, delivery.parked, delivery.claim, event.subject, event.number, event.type, event.at, event.role, event."by", event."trigger", event.source, event.target, event.payload FROM delivery JOIN event ON event.id = delivery.event WHERE delivery.parked IS NOT NULL AND delivery.parked >= ? AND (delivery.parked, delivery.subscriber, delivery.event) > (?, ?, ?) ORDER BY delivery.parked, delivery.subscriber, delivery.event LIMIT ? OFFSET 0',
    delivery_held="SELECT delivery.subject FROM delivery WHERE delivery.parked IS NOT NULL AND delivery.parked >= 0 AND coalesce(delivery.subscriber, delivery.subscriber) = ?",
    delivery_backlog="SELECT count(*) AS count_1, min(event.at) AS min_1, coalesce(sum(delivery.attempts), 0) AS coalesce_1 FROM delivery JOIN event ON event.id = delivery.event WHERE delivery.subscriber = ? AND delivery.delivered IS NULL AND delivery.parked IS NULL AND delivery.due >= 0",
    delivery_parked_count="SELECT count(*) AS count_1 FROM delivery WHERE delivery.parked IS NOT NULL AND delivery.parked >= 0 AND coalesce(delivery.subscriber, delivery.subscriber) = ?",
    delivery_failing="SELECT count(*) AS count_1 FROM delivery WHERE delivery.subscriber = ? AND delivery.delivered IS NULL AND delivery.parked IS NULL AND delivery.due >= 0 AND delivery.attempts > 0",
    delivery_behind="SELECT count(*) AS count_1 FROM delivery WHERE delivery.subscriber = ? AND delivery.subject = ? AND delivery.delivered IS NULL AND delivery.event > ?",
    deliveries_fill="INSERT INTO delivery (subscriber, event, subject, due, attempts) SELECT CAST(? AS TEXT) AS anon_1, event.id, event.subject, event.at, 0 FROM event WHERE event.id > ? AND event.id <= ? AND (CAST(? AS TEXT) IS NULL OR event.type = CAST(? AS TEXT)) AND NOT (EXISTS (SELECT * FROM delivery WHERE delivery.subscriber = ? AND delivery.event = event.id))",
    deliveries_drop="DELETE FROM delivery WHERE delivery.subscriber = ?",
    subscribers_read="SELECT subscriber.name, subscriber.kind, subscriber.target, subscriber.types, subscriber.enabled FROM subscriber ORDER BY subscriber.name",
    subscriber_set="INSERT INTO subscriber (name, kind, target, types, enabled) VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, target = excluded.target, types = excluded.types, enabled = excluded.enabled",
    subscriber_delete="DELETE FROM subscriber WHERE subscriber.name = ?",
    event_at='SELECT event.id, event.subject, event.number, event.type, event.at, event.role, event."by", event."trigger", event.source, event.target, event.payload FROM event WHERE event.subject = ? AND event.number = ?',
    events_after='SELECT event.id, event.subject, event.number, event.type, event.at, event.role, event."by", event."trigger", event.source, event.target, event.payload FROM event WHERE event.id > ? AND (CAST(? AS TEXT) IS NULL OR event.type = CAST(? AS TEXT)) AND event.at >= ? ORDER BY event.id LIMIT ? OFFSET 0',
    events_before='SELECT event.id, event.subject, event.number, event.type, event.at, event.role, event."by", event."trigger", event.source, event.target, event.payload FROM event WHERE event.id < ? AND (CAST(? AS TEXT) IS NULL OR event.type = CAST(? AS TEXT)) AND event.at >= ? ORDER BY event.id DESC LIMIT ? OFFSET 0',
    events_about='SELECT event.id, event.subject, event.number, event.type, event.at, event.role, event."by", event."trigger", event.source, event.target, event.payload FROM event WHERE event.subject = ? AND event.number < ? AND (CAST(? AS TEXT) IS NULL OR event.type = CAST(? AS TEXT)) AND event.at >= ? ORDER BY event.number DESC LIMIT ? OFFSET 0',
    event_last="SELECT coalesce(max(event.id), 0) AS coalesce_1 FROM event",
    inbox_read="SELECT inbox.done, inbox.parked FROM inbox WHERE inbox.source = ? AND inbox.id = ?",
    inbox_write="INSERT INTO inbox (source, id, at, type, body, error, done, parked) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (source, id) DO UPDATE SET at = excluded.at, type = excluded.type, body = excluded.body, error = excluded.error, done = excluded.done, parked = excluded.parked",
    inbox_parked="SELECT inbox.source, inbox.id, inbox.at, inbox.type, inbox.body, inbox.error, inbox.parked FROM inbox WHERE inbox.parked IS NOT NULL ORDER BY inbox.parked, inbox.source, inbox.id LIMIT ? OFFSET 0",
    events_read='SELECT event.subject, event.number, event.type, event.at, event.role, event."by", event."trigger", event.source, event.target, event.payload FROM event WHERE event.subject = ? AND event.number <= ? ORDER BY event.number',
    payloads_back="SELECT event.payload FROM event WHERE event.subject = ? ORDER BY event.number DESC",
    refusal_count='INSERT INTO refusal (serial, "trigger", codes, first_at, last_at, count) VALUES (?, ?, ?, ?, ?, 1) ON CONFLICT (serial, "trigger", codes) DO UPDATE SET last_at = excluded.last_at, count = (refusal.count + 1)',
    refusals_read='SELECT refusal."trigger", refusal.codes, refusal.first_at, refusal.last_at, refusal.count FROM refusal WHERE refusal.serial = ? ORDER BY refusal.last_at, refusal."trigger", refusal.codes',
    key_read='SELECT idempotency.fingerprint, idempotency.answer FROM idempotency WHERE idempotency."key" = ?',
    key_insert='INSERT INTO idempotency ("key", fingerprint, answer, at) VALUES (?, ?, ?, ?)',
    facilities_read="SELECT facility.code, facility.country, facility.latitude, facility.longitude, facility.name, facility.gateway, facility.priority, facility.closed, facility.costs, facility.version FROM facility ORDER BY facility.code",
    facility_read="SELECT facility.code, facility.country, facility.latitude, facility.longitude, facility.name, facility.gateway, facility.priority, facility.closed, facility.costs, facility.version FROM facility WHERE facility.code = ?",
    facility_insert="INSERT INTO facility (code, country, latitude, longitude, name, gateway, priority, closed, costs, version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    facility_update="UPDATE facility SET country=?, latitude=?, longitude=?, name=?, gateway=?, priority=?, closed=?, costs=? WHERE facility.code = ?",
    facility_number="UPDATE facility SET version=(facility.version + 1) WHERE facility.code = ? RETURNING version",
    settings_read='SELECT setting."key", setting.value FROM setting ORDER BY setting."key"',
    setting_read='SELECT setting.value FROM setting WHERE setting."key" = ?',
    setting_set='INSERT INTO setting ("key", value) VALUES (?, ?) ON CONFLICT ("key") DO UPDATE SET value = excluded.value',
    setting_delete='DELETE FROM setting WHERE setting."key" = ?',
    counter_next="UPDATE counter SET value=(counter.value + 1) WHERE counter.name = ? RETURNING value",
    counter_raise="UPDATE counter SET value=? WHERE counter.name = ? AND counter.value < ?",
    counter_read="SELECT counter.value FROM counter WHERE counter.name = ?",
    check_ledger="SELECT stock.facility, stock.sku, stock.pool, stock.on_hand, stock.allocated, coalesce(anon_1.on_hand, 0) AS coalesce_1, coalesce(anon_1.allocated, 0) AS coalesce_2 FROM stock LEFT OUTER JOIN (SELECT movement.sku AS sku, movement.facility AS facility, movement.pool AS pool, sum(movement.on_hand) AS on_hand, sum(movement.allocated) AS allocated FROM movement GROUP BY movement.sku, movement.facility, movement.pool) AS anon_1 ON anon_1.sku = stock.sku AND anon_1.facility = stock.facility AND anon_1.pool = stock.pool WHERE stock.on_hand != coalesce(anon_1.on_hand, 0) OR stock.allocated != coalesce(anon_1.allocated, 0) ORDER BY stock.facility, stock.sku, stock.pool",
    check_oversold="SELECT stock.facility, stock.sku, stock.pool, stock.on_hand, stock.allocated FROM stock WHERE stock.allocated > stock.on_hand OR stock.allocated < 0 ORDER BY stock.facility, stock.sku, stock.pool",
    check_held="SELECT allocation.sku, allocation.facility, allocation.pool, sum(allocation.units) AS units FROM allocation JOIN orders ON orders.serial = allocation.serial WHERE orders.state = ? GROUP BY allocation.sku, allocation.facility, allocation.pool ORDER BY allocation.sku, allocation.facility, allocation.pool",
    check_allocated="SELECT stock.sku, stock.facility, stock.pool, stock.allocated FROM stock WHERE stock.allocated != 0 ORDER BY stock.sku, stock.facility, stock.pool",
    check_numbers="SELECT orders.id, orders.version, anon_1.newest, anon_1.n FROM orders LEFT OUTER JOIN (SELECT event.subject AS subject, max(event.number) AS newest, count(*) AS n FROM event GROUP BY event.subject) AS anon_1 ON anon_1.subject = orders.id WHERE anon_1.newest IS NULL OR orders.version != anon_1.newest OR anon_1.n != anon_1.newest ORDER BY orders.serial",
    check_states="SELECT orders.id, orders.state, anon_1.target FROM orders JOIN (SELECT event.subject AS subject, event.number AS number, event.target AS target FROM event) AS anon_1 ON anon_1.subject = orders.id AND anon_1.number = orders.version WHERE anon_1.target != orders.state ORDER BY orders.serial",
    count_states="SELECT orders.state, count(*) AS count_1, min(orders.entered_at) AS min_1 FROM orders GROUP BY orders.state ORDER BY orders.state",
    count_policies="SELECT orders.short, count(*) AS count_1 FROM orders WHERE orders.state = ? GROUP BY orders.short",
    count_middle="SELECT orders.entered_at FROM orders WHERE orders.state = ? ORDER BY orders.entered_at ASC, orders.id ASC LIMIT 1 OFFSET ?",
    count_all="SELECT (SELECT count(*) AS count_1 FROM orders) AS orders, (SELECT count(*) AS count_2 FROM event) AS event, (SELECT count(*) AS count_3 FROM movement) AS movement, (SELECT count(*) AS count_4 FROM stock) AS stock, (SELECT count(*) AS count_5 FROM facility) AS facility, (SELECT count(*) AS count_6 FROM sku) AS sku",
)


POSTGRESQL = Statements(
    order_read="SELECT orders.serial, orders.id, orders.state, orders.version, orders.placed_at, orders.entered_at, orders.destination, orders.short, orders.contact, orders.parent FROM orders WHERE orders.id = %s::VARCHAR",
    order_lock="SELECT orders.serial, orders.id, orders.state, orders.version, orders.placed_at, orders.entered_at, orders.destination, orders.short, orders.contact, orders.parent FROM orders WHERE orders.id = %s::VARCHAR FOR UPDATE",
    order_at="SELECT orders.placed_at, orders.id, orders.serial, orders.entered_at FROM orders WHERE orders.id = %s::VARCHAR",
    order_insert="INSERT INTO orders (id, state, version, placed_at, entered_at, destination, short, contact, parent) VALUES (%s::VARCHAR, %s::VARCHAR, %s::BIGINT, %s::BIGINT, %s::BIGINT, %s::VARCHAR, %s::VARCHAR, %s::VARCHAR, %s::VARCHAR) RETURNING orders.serial",
    order_move="UPDATE orders SET state=%s::VARCHAR, version=%s::BIGINT, entered_at=%s::BIGINT WHERE orders.serial = %s::BIGINT AND orders.version = %s::BIGINT",
    order_redirect="UPDATE orders SET destination=%s::VARCHAR WHERE orders.serial = %s::BIGINT",
    children_read="SELECT orders.id, orders.state FROM orders WHERE orders.parent = %s::VARCHAR ORDER BY orders.serial",
    order_ids_like="SELECT orders.id FROM orders WHERE orders.id >= %s::VARCHAR AND orders.id < %s::VARCHAR ORDER BY orders.id LIMIT %s OFFSET 0",
    lines_read="SELECT order_line.sku, order_line.quantity, order_line.cancelled, sku.grams FROM order_line JOIN sku ON sku.code = order_line.sku WHERE order_line.serial = %s::BIGINT ORDER BY order_line.sku",
    line_insert="INSERT INTO order_line (serial, sku, quantity, cancelled) VALUES (%s::BIGINT, %s::VARCHAR, %s::BIGINT, %s::BIGINT)",
    line_update="UPDATE order_line SET quantity=%s::BIGINT, cancelled=%s::BIGINT WHERE order_line.serial = %s::BIGINT AND order_line.sku = %s::VARCHAR",
    line_delete="DELETE FROM order_line WHERE order_line.serial = %s::BIGINT AND order_line.sku = %s::VARCHAR",
    list_all="SELECT orders.serial, orders.id, orders.state, orders.version, orders.placed_at, orders.entered_at, orders.destination, orders.parent, (SELECT coalesce(sum(order_line.quantity - order_line.cancelled), 0) AS coalesce_1 FROM order_line WHERE order_line.serial = orders.serial) AS anon_1 FROM orders WHERE (orders.placed_at, orders.id) < (%s, %s) AND (CAST(%s AS TEXT) IS NULL OR orders.state = CAST(%s AS TEXT)) AND (CAST(%s AS TEXT) IS NULL OR (EXISTS (SELECT * FROM order_line WHERE order_line.serial = orders.serial AND order_line.sku = CAST(%s AS TEXT)))) AND (CAST(%s AS TEXT) IS NULL OR (EXISTS (SELECT * FROM allocation WHERE allocation.serial = orders.serial AND allocation.facility = CAST(%s AS TEXT)))) ORDER BY orders.placed_at DESC, orders.id DESC LIMIT %s OFFSET 0",
    list_state="SELECT orders.serial, orders.id, orders.state, orders.version, orders.placed_at, orders.entered_at, orders.destination, orders.parent, (SELECT coalesce(sum(order_line.quantity - order_line.cancelled), 0) AS coalesce_1 FROM order_line WHERE order_line.serial = orders.serial) AS anon_1 FROM orders WHERE orders.state = %s::VARCHAR AND (orders.placed_at, orders.id) < (%s, %s) AND (CAST(%s AS TEXT) IS NULL OR (EXISTS (SELECT * FROM order_line WHERE order_line.serial = orders.serial AND order_line.sku = CAST(%s AS TEXT)))) AND (CAST(%s AS TEXT) IS NULL OR (EXISTS (SELECT * FROM allocation WHERE allocation.serial = orders.serial AND allocation.facility = CAST(%s AS TEXT)))) ORDER BY orders.placed_at DESC, orders.id DESC LIMIT %s OFFSET 0",
    list_oldest="SELECT orders.serial, orders.id, orders.state, orders.version, orders.placed_at, orders.entered_at, orders.destination, orders.parent, (SELECT coalesce(sum(order_line.quantity - order_line.cancelled), 0) AS coalesce_1 FROM order_line WHERE order_line.serial = orders.serial) AS anon_1 FROM orders WHERE orders.state = %s::VARCHAR AND (orders.placed_at, orders.id) > (%s, %s) AND (CAST(%s AS TEXT) IS NULL OR (EXISTS (SELECT * FROM order_line WHERE order_line.serial = orders.serial AND order_line.sku = CAST(%s AS TEXT)))) AND (CAST(%s AS TEXT) IS NULL OR (EXISTS (SELECT * FROM allocation WHERE allocation.serial = orders.serial AND allocation.facility = CAST(%s AS TEXT)))) ORDER BY orders.placed_at ASC, orders.id ASC LIMIT %s OFFSET 0",
    list_due="SELECT orders.serial, orders.id, orders.version, orders.entered_at FROM orders WHERE orders.state = %s::VARCHAR AND orders.entered_at <= %s::BIGINT AND (orders.entered_at, orders.id) > (%s, %s) ORDER BY orders.entered_at ASC, orders.id ASC LIMIT %s OFFSET 0",
    list_entered="SELECT orders.serial, orders.id, orders.state, orders.version, orders.placed_at, orders.entered_at, orders.destination, orders.parent, (SELECT coalesce(sum(order_line.quantity - order_line.cancelled), 0) AS coalesce_1 FROM order_line WHERE order_line.serial = orders.serial) AS anon_1 FROM orders WHERE orders.state = %s::VARCHAR AND orders.entered_at <= %s::BIGINT AND (orders.entered_at, orders.id) > (%s, %s) AND (CAST(%s AS TEXT) IS NULL OR (EXISTS (SELECT * FROM order_line WHERE order_line.serial = orders.serial AND order_line.sku = CAST(%s AS TEXT)))) AND (CAST(%s AS TEXT) IS NULL OR (EXISTS (SELECT * FROM allocation WHERE allocation.serial = orders.serial AND allocation.facility = CAST(%s AS TEXT)))) ORDER BY orders.entered_at ASC, orders.id ASC LIMIT %s OFFSET 0",
    list_sku="SELECT orders.serial, orders.id, orders.state, orders.version, orders.placed_at, orders.entered_at, orders.destination, orders.parent, (SELECT coalesce(sum(order_line.quantity - order_line.cancelled), 0) AS coalesce_1 FROM order_line WHERE order_line.serial = orders.serial) AS anon_1 FROM orders JOIN order_line AS wanted ON wanted.serial = orders.serial WHERE wanted.sku = %s::VARCHAR AND wanted.serial < %s::BIGINT AND (CAST(%s AS TEXT) IS NULL OR orders.state = CAST(%s AS TEXT)) AND (CAST(%s AS TEXT) IS NULL OR (EXISTS (SELECT * FROM allocation WHERE allocation.serial = orders.serial AND allocation.facility = CAST(%s AS TEXT)))) ORDER BY wanted.serial DESC LIMIT %s OFFSET 0",
    list_facility="SELECT orders.serial, orders.id, orders.state, orders.version, orders.placed_at, orders.entered_at, orders.destination, orders.parent, (SELECT coalesce(sum(order_line.quantity - order_line.cancelled), 0) AS coalesce_1 FROM order_line WHERE order_line.serial = orders.serial) AS anon_1 FROM orders JOIN allocation AS held ON held.serial = orders.serial WHERE held.facility = %s::VARCHAR AND held.serial < %s::BIGINT AND NOT (EXISTS (SELECT * FROM allocation AS other WHERE other.serial = held.serial AND other.facility = held.facility AND (other.sku, other.pool) < (held.sku, held.pool))) AND (CAST(%s AS TEXT) IS NULL OR orders.state = CAST(%s AS TEXT)) AND (CAST(%s AS TEXT) IS NULL OR (EXISTS (SELECT * FROM order_line WHERE order_line.serial = orders.serial AND order_line.sku = CAST(%s AS TEXT)))) ORDER BY held.serial DESC LIMIT %s OFFSET 0",
    waiting_for="SELECT orders.id, orders.placed_at, order_line.quantity - order_line.cancelled AS anon_1 FROM orders JOIN order_line ON order_line.serial = orders.serial AND order_line.sku = %s::VARCHAR WHERE orders.state = %s::VARCHAR AND order_line.quantity > order_line.cancelled ORDER BY orders.placed_at ASC, orders.id ASC LIMIT %s OFFSET 0",
    allocations_read="SELECT allocation.facility, allocation.sku, allocation.pool, allocation.units FROM allocation WHERE allocation.serial = %s::BIGINT ORDER BY allocation.facility, allocation.sku, allocation.pool",
    allocation_insert="INSERT INTO allocation (serial, facility, sku, pool, units) VALUES (%s::BIGINT, %s::VARCHAR, %s::VARCHAR, %s::VARCHAR, %s::BIGINT)",
    allocations_delete="DELETE FROM allocation WHERE allocation.serial = %s::BIGINT",
    allocation_delete="DELETE FROM allocation WHERE allocation.serial = %s::BIGINT AND allocation.facility = %s::VARCHAR AND allocation.sku = %s::VARCHAR AND allocation.pool = %s::VARCHAR",
    allocation_update="UPDATE allocation SET units=%s::BIGINT WHERE allocation.serial = %s::BIGINT AND allocation.facility = %s::VARCHAR AND allocation.sku = %s::VARCHAR AND allocation.pool = %s::VARCHAR",
    shipment_insert="INSERT INTO shipment (serial, facility, shipped_at, units) VALUES (%s::BIGINT, %s::VARCHAR, %s::BIGINT, %s::BIGINT)",
    shipments_read="SELECT shipment.facility, shipment.shipped_at, shipment.units FROM shipment WHERE shipment.serial = %s::BIGINT ORDER BY shipment.facility",
    holders="SELECT orders.id, orders.state, allocation.units FROM allocation JOIN orders ON orders.serial = allocation.serial WHERE allocation.facility = %s::VARCHAR AND allocation.sku = %s::VARCHAR AND allocation.pool = %s::VARCHAR AND orders.state = %s::VARCHAR ORDER BY orders.placed_at DESC, orders.id DESC",
    stock_for_order="SELECT stock.facility, stock.sku, stock.pool, (stock.on_hand - stock.allocated) - stock.safety AS anon_1 FROM stock JOIN order_line ON order_line.sku = stock.sku WHERE order_line.serial = %s::BIGINT AND order_line.quantity > order_line.cancelled AND (stock.on_hand - stock.allocated) - stock.safety > 0 ORDER BY stock.facility, stock.sku, stock.pool",
    stock_take="UPDATE stock SET allocated=(stock.allocated + %s::BIGINT) WHERE stock.sku = %s::VARCHAR AND stock.facility = %s::VARCHAR AND stock.pool = %s::VARCHAR AND (stock.on_hand - stock.allocated) - stock.safety >= %s::BIGINT",
    stock_release="UPDATE stock SET allocated=(stock.allocated - %s::BIGINT) WHERE stock.sku = %s::VARCHAR AND stock.facility = %s::VARCHAR AND stock.pool = %s::VARCHAR AND stock.allocated >= %s::BIGINT",
    stock_ship="UPDATE stock SET on_hand=(stock.on_hand - %s::BIGINT), allocated=(stock.allocated - %s::BIGINT) WHERE stock.sku = %s::VARCHAR AND stock.facility = %s::VARCHAR AND stock.pool = %s::VARCHAR AND stock.allocated >= %s::BIGINT",
    stock_receive="INSERT INTO stock (sku, facility, pool, on_hand, allocated, safety) VALUES (%s::VARCHAR, %s::VARCHAR, %s::VARCHAR, %s::BIGINT, 0, 0) ON CONFLICT (sku, facility, pool) DO UPDATE SET on_hand = (stock.on_hand + excluded.on_hand)",
    stock_count="UPDATE stock SET on_hand=%s::BIGINT WHERE stock.sku = %s::VARCHAR AND stock.facility = %s::VARCHAR AND stock.pool = %s::VARCHAR AND stock.allocated <= %s::BIGINT",
    stock_safety="UPDATE stock SET safety=%s::BIGINT WHERE stock.sku = %s::VARCHAR AND stock.facility = %s::VARCHAR AND stock.pool = %s::VARCHAR",
    stock_row="SELECT stock.on_hand, stock.allocated, stock.safety FROM stock WHERE stock.sku = %s::VARCHAR AND stock.facility = %s::VARCHAR AND stock.pool = %s::VARCHAR",
    stock_all="SELECT stock.facility, stock.sku, stock.pool, stock.on_hand, stock.allocated, stock.safety FROM stock WHERE (stock.sku, stock.facility, stock.pool) > (%s, %s, %s) ORDER BY stock.sku, stock.facility, stock.pool LIMIT %s OFFSET 0",
    stock_of_sku="SELECT stock.facility, stock.sku, stock.pool, stock.on_hand, stock.allocated, stock.safety FROM stock WHERE stock.sku = %s::VARCHAR ORDER BY stock.facility, stock.pool",
    stock_of_facility="SELECT stock.facility, stock.sku, stock.pool, stock.on_hand, stock.allocated, stock.safety FROM stock WHERE stock.facility = %s::VARCHAR AND (stock.sku, stock.pool) > (%s, %s) ORDER BY stock.sku, stock.pool LIMIT %s OFFSET 0",
    sku_known="INSERT INTO sku (code, grams) VALUES (%s::VARCHAR, %s::BIGINT) ON CONFLICT (code) DO NOTHING",
    sku_read="SELECT sku.grams FROM sku WHERE sku.code = %s::VARCHAR",
    sku_weigh="UPDATE sku SET grams=%s::BIGINT WHERE sku.code = %s::VARCHAR",
    sku_codes="SELECT sku.code FROM sku WHERE sku.code >= %s::VARCHAR AND sku.code < %s::VARCHAR ORDER BY sku.code LIMIT %s OFFSET 0",
    movement_insert="INSERT INTO movement (subject, number, facility, sku, pool, kind, on_hand, allocated, at) VALUES (%s::VARCHAR, %s::BIGINT, %s::VARCHAR, %s::VARCHAR, %s::VARCHAR, %s::VARCHAR, %s::BIGINT, %s::BIGINT, %s::BIGINT) RETURNING movement.id",
    event_insert="INSERT INTO event (subject, number, type, at, role, by, trigger, source, target, payload) VALUES (%s::VARCHAR, %s::BIGINT, %s::VARCHAR, %s::BIGINT, %s::VARCHAR, %s::VARCHAR, %s::VARCHAR, %s::VARCHAR, %s::VARCHAR, %s::VARCHAR) RETURNING event.id",
    deliveries_next="SELECT delivery.subscriber, delivery.event, delivery.attempts, delivery.due, delivery.error, delivery.delivered, delivery.parked, delivery.claim, event.subject, event.number, event.type, event.at, event.role, event.by, event.trigger, event.source, event.target, event.payload FROM delivery JOIN event ON event.id = delivery.event WHERE delivery.subscriber = %s::VARCHAR AND delivery.delivered IS NULL AND delivery.parked IS NULL AND delivery.due <= %s::BIGINT AND NOT (EXISTS (SELECT 1 FROM delivery AS older WHERE older.subscriber = delivery.subscriber AND older.subject = delivery.subject AND older.delivered IS NULL AND older.event < delivery.event)) ORDER BY delivery.due, delivery.event LIMIT %s OFFSET 0",
    deliveries_oldest="SELECT delivery.subscriber, delivery.event, delivery.attempts, delivery.due, delivery.error, delivery.delivered, delivery.parked, delivery.claim, event.subject, event.number, event.type, event.at, event.role, event.by, event.trigger, event.source, event.target, event.payload FROM delivery JOIN event ON event.id = delivery.event WHERE delivery.subscriber = %s::VARCHAR AND delivery.delivered IS NULL AND delivery.parked IS NULL AND delivery.event > %s::BIGINT ORDER BY delivery.event LIMIT %s OFFSET 0",
    delivery_due="SELECT delivery.due FROM delivery WHERE delivery.subscriber = %s::VARCHAR AND delivery.delivered IS NULL AND delivery.parked IS NULL AND NOT (EXISTS (SELECT 1 FROM delivery AS older WHERE older.subscriber = delivery.subscriber AND older.subject = delivery.subject AND older.delivered IS NULL AND older.event < delivery.event)) ORDER BY delivery.due LIMIT 1 OFFSET 0",
    delivery_insert="INSERT INTO delivery (subscriber, event, subject, due, attempts) VALUES (%s::VARCHAR, %s::BIGINT, %s::VARCHAR, %s::BIGINT, 0)",
    delivery_claim="UPDATE delivery SET due=%s::BIGINT, attempts=%s::BIGINT, claim=%s::VARCHAR WHERE delivery.subscriber = %s::VARCHAR AND delivery.event = %s::BIGINT AND delivery.delivered IS NULL AND delivery.parked IS NULL",
    delivery_release="UPDATE delivery SET due=%s::BIGINT, claim=NULL WHERE delivery.subscriber = %s::VARCHAR AND delivery.event = %s::BIGINT AND delivery.claim IS NOT DISTINCT FROM %s::VARCHAR",
    delivery_skip="UPDATE delivery SET claim=NULL, error=%s::VARCHAR, delivered=%s::BIGINT, parked=NULL WHERE delivery.subscriber = %s::VARCHAR AND delivery.event = %s::BIGINT AND delivery.delivered IS NULL",
    delivery_done="UPDATE delivery SET attempts=%s::BIGINT, claim=NULL, error=NULL, delivered=%s::BIGINT WHERE delivery.subscriber = %s::VARCHAR AND delivery.event = %s::BIGINT AND delivery.claim IS NOT DISTINCT FROM %s::VARCHAR",
    delivery_later="UPDATE delivery SET due=%s::BIGINT, attempts=%s::BIGINT, claim=NULL, error=%s::VARCHAR WHERE delivery.subscriber = %s::VARCHAR AND delivery.event = %s::BIGINT AND delivery.claim IS NOT DISTINCT FROM %s::VARCHAR",
    delivery_park="UPDATE delivery SET attempts=%s::BIGINT, claim=NULL, error=%s::VARCHAR, parked=%s::BIGINT WHERE delivery.subscriber = %s::VARCHAR AND delivery.event = %s::BIGINT AND delivery.claim IS NOT DISTINCT FROM %s::VARCHAR",
    delivery_again="UPDATE delivery SET due=%s::BIGINT, attempts=0, claim=NULL, error=NULL, delivered=NULL, parked=NULL WHERE delivery.subscriber = %s::VARCHAR AND delivery.event = %s::BIGINT",
    deliveries_of="SELECT delivery.subscriber, delivery.event, delivery.attempts, delivery.due, delivery.error, delivery.delivered, delivery.parked, delivery.claim, event.subject, event.number, event.type, event.at, event.role, event.by, event.trigger, event.source, event.target, event.payload FROM delivery JOIN event ON event.id = delivery.event WHERE delivery.subscriber = %s::VARCHAR AND delivery.event = %s::BIGINT",
    deliveries_parked="SELECT delivery.subscriber, delivery.event, delivery.attempts, delivery.due, delivery.error, delivery.delivered, delivery.parked, delivery.claim, event.subject, event.number, event.type, event.at, event.role, event.by, event.trigger, event.source, event.target, event.payload FROM delivery JOIN event ON event.id = delivery.event WHERE delivery.parked IS NOT NULL AND delivery.parked >= %s::BIGINT AND (delivery.parked, delivery.subscriber, delivery.event) > (%s, %s, %s) ORDER BY delivery.parked, delivery.subscriber, delivery.event LIMIT %s OFFSET 0",
    delivery_held="SELECT delivery.subject FROM delivery WHERE delivery.parked IS NOT NULL AND delivery.parked >= 0 AND coalesce(delivery.subscriber, delivery.subscriber) = %s::VARCHAR",
    delivery_backlog="SELECT count(*) AS count_1, min(event.at) AS min_1, coalesce(sum(delivery.attempts), 0) AS coalesce_1 FROM delivery JOIN event ON event.id = delivery.event WHERE delivery.subscriber = %s::VARCHAR AND delivery.delivered IS NULL AND delivery.parked IS NULL AND delivery.due >= 0",
    delivery_parked_count="SELECT count(*) AS count_1 FROM delivery WHERE delivery.parked IS NOT NULL AND delivery.parked >= 0 AND coalesce(delivery.subscriber, delivery.subscriber) = %s::VARCHAR",
    delivery_failing="SELECT count(*) AS count_1 FROM delivery WHERE delivery.subscriber = %s::VARCHAR AND delivery.delivered IS NULL AND delivery.parked IS NULL AND delivery.due >= 0 AND delivery.attempts > 0",
    delivery_behind="SELECT count(*) AS count_1 FROM delivery WHERE delivery.subscriber = %s::VARCHAR AND delivery.subject = %s::VARCHAR AND delivery.delivered IS NULL AND delivery.event > %s::BIGINT",
    deliveries_fill="INSERT INTO delivery (subscriber, event, subject, due, attempts) SELECT CAST(%s AS TEXT) AS anon_1, event.id, event.subject, event.at, 0 FROM event WHERE event.id > %s::BIGINT AND event.id <= %s::BIGINT AND (CAST(%s AS TEXT) IS NULL OR event.type = CAST(%s AS TEXT)) AND NOT (EXISTS (SELECT * FROM delivery WHERE delivery.subscriber = %s::VARCHAR AND delivery.event = event.id))",
    deliveries_drop="DELETE FROM delivery WHERE delivery.subscriber = %s::VARCHAR",
    subscribers_read="SELECT subscriber.name, subscriber.kind, subscriber.target, subscriber.types, subscriber.enabled FROM subscriber ORDER BY subscriber.name",
    subscriber_set="INSERT INTO subscriber (name, kind, target, types, enabled) VALUES (%s::VARCHAR, %s::VARCHAR, %s::VARCHAR, %s::VARCHAR, %s::BIGINT) ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, target = excluded.target, types = excluded.types, enabled = excluded.enabled",
    subscriber_delete="DELETE FROM subscriber WHERE subscriber.name = %s::VARCHAR",
    event_at="SELECT event.id, event.subject, event.number, event.type, event.at, event.role, event.by, event.trigger, event.source, event.target, event.payload FROM event WHERE event.subject = %s::VARCHAR AND event.number = %s::BIGINT",
    events_after="SELECT event.id, event.subject, event.number, event.type, event.at, event.role, event.by, event.trigger, event.source, event.target, event.payload FROM event WHERE event.id > %s::BIGINT AND (CAST(%s AS TEXT) IS NULL OR event.type = CAST(%s AS TEXT)) AND event.at >= %s::BIGINT ORDER BY event.id LIMIT %s OFFSET 0",
    events_before="SELECT event.id, event.subject, event.number, event.type, event.at, event.role, event.by, event.trigger, event.source, event.target, event.payload FROM event WHERE event.id < %s::BIGINT AND (CAST(%s AS TEXT) IS NULL OR event.type = CAST(%s AS TEXT)) AND event.at >= %s::BIGINT ORDER BY event.id DESC LIMIT %s OFFSET 0",
    events_about="SELECT event.id, event.subject, event.number, event.type, event.at, event.role, event.by, event.trigger, event.source, event.target, event.payload FROM event WHERE event.subject = %s::VARCHAR AND event.number < %s::BIGINT AND (CAST(%s AS TEXT) IS NULL OR event.type = CAST(%s AS TEXT)) AND event.at >= %s::BIGINT ORDER BY event.number DESC LIMIT %s OFFSET 0",
    event_last="SELECT coalesce(max(event.id), 0) AS coalesce_1 FROM event",
    inbox_read="SELECT inbox.done, inbox.parked FROM inbox WHERE inbox.source = %s::VARCHAR AND inbox.id = %s::VARCHAR",
    inbox_write="INSERT INTO inbox (source, id, at, type, body, error, done, parked) VALUES (%s::VARCHAR, %s::VARCHAR, %s::BIGINT, %s::VARCHAR, %s::VARCHAR, %s::VARCHAR, %s::BIGINT, %s::BIGINT) ON CONFLICT (source, id) DO UPDATE SET at = excluded.at, type = excluded.type, body = excluded.body, error = excluded.error, done = excluded.done, parked = excluded.parked",
    inbox_parked="SELECT inbox.source, inbox.id, inbox.at, inbox.type, inbox.body, inbox.error, inbox.parked FROM inbox WHERE inbox.parked IS NOT NULL ORDER BY inbox.parked, inbox.source, inbox.id LIMIT %s OFFSET 0",
    events_read="SELECT event.subject, event.number, event.type, event.at, event.role, event.by, event.trigger, event.source, event.target, event.payload FROM event WHERE event.subject = %s::VARCHAR AND event.number <= %s::BIGINT ORDER BY event.number",
    payloads_back="SELECT event.payload FROM event WHERE event.subject = %s::VARCHAR ORDER BY event.number DESC",
    refusal_count="INSERT INTO refusal (serial, trigger, codes, first_at, last_at, count) VALUES (%s::BIGINT, %s::VARCHAR, %s::VARCHAR, %s::BIGINT, %s::BIGINT, 1) ON CONFLICT (serial, trigger, codes) DO UPDATE SET last_at = excluded.last_at, count = (refusal.count + 1)",
    refusals_read="SELECT refusal.trigger, refusal.codes, refusal.first_at, refusal.last_at, refusal.count FROM refusal WHERE refusal.serial = %s::BIGINT ORDER BY refusal.last_at, refusal.trigger, refusal.codes",
    key_read="SELECT idempotency.fingerprint, idempotency.answer FROM idempotency WHERE idempotency.key = %s::VARCHAR",
    key_insert="INSERT INTO idempotency (key, fingerprint, answer, at) VALUES (%s::VARCHAR, %s::VARCHAR, %s::VARCHAR, %s::BIGINT)",
    facilities_read="SELECT facility.code, facility.country, facility.latitude, facility.longitude, facility.name, facility.gateway, facility.priority, facility.closed, facility.costs, facility.version FROM facility ORDER BY facility.code",
    facility_read="SELECT facility.code, facility.country, facility.latitude, facility.longitude, facility.name, facility.gateway, facility.priority, facility.closed, facility.costs, facility.version FROM facility WHERE facility.code = %s::VARCHAR",
    facility_insert="INSERT INTO facility (code, country, latitude, longitude, name, gateway, priority, closed, costs, version) VALUES (%s::VARCHAR, %s::VARCHAR, %s::BIGINT, %s::BIGINT, %s::VARCHAR, %s::VARCHAR, %s::BIGINT, %s::BIGINT, %s::VARCHAR, %s::BIGINT)",
    facility_update="UPDATE facility SET country=%s::VARCHAR, latitude=%s::BIGINT, longitude=%s::BIGINT, name=%s::VARCHAR, gateway=%s::VARCHAR, priority=%s::BIGINT, closed=%s::BIGINT, costs=%s::VARCHAR WHERE facility.code = %s::VARCHAR",
    facility_number="UPDATE facility SET version=(facility.version + 1) WHERE facility.code = %s::VARCHAR RETURNING facility.version",
    settings_read="SELECT setting.key, setting.value FROM setting ORDER BY setting.key",
    setting_read="SELECT setting.value FROM setting WHERE setting.key = %s::VARCHAR",
    setting_set="INSERT INTO setting (key, value) VALUES (%s::VARCHAR, %s::VARCHAR) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    setting_delete="DELETE FROM setting WHERE setting.key = %s::VARCHAR",
    counter_next="UPDATE counter SET value=(counter.value + 1) WHERE counter.name = %s::VARCHAR RETURNING counter.value",
    counter_raise="UPDATE counter SET value=%s::BIGINT WHERE counter.name = %s::VARCHAR AND counter.value < %s::BIGINT",
    counter_read="SELECT counter.value FROM counter WHERE counter.name = %s::VARCHAR",
    check_ledger="SELECT stock.facility, stock.sku, stock.pool, stock.on_hand, stock.allocated, coalesce(anon_1.on_hand, 0) AS coalesce_1, coalesce(anon_1.allocated, 0) AS coalesce_2 FROM stock LEFT OUTER JOIN (SELECT movement.sku AS sku, movement.facility AS facility, movement.pool AS pool, sum(movement.on_hand) AS on_hand, sum(movement.allocated) AS allocated FROM movement GROUP BY movement.sku, movement.facility, movement.pool) AS anon_1 ON anon_1.sku = stock.sku AND anon_1.facility = stock.facility AND anon_1.pool = stock.pool WHERE stock.on_hand != coalesce(anon_1.on_hand, 0) OR stock.allocated != coalesce(anon_1.allocated, 0) ORDER BY stock.facility, stock.sku, stock.pool",
    check_oversold="SELECT stock.facility, stock.sku, stock.pool, stock.on_hand, stock.allocated FROM stock WHERE stock.allocated > stock.on_hand OR stock.allocated < 0 ORDER BY stock.facility, stock.sku, stock.pool",
    check_held="SELECT allocation.sku, allocation.facility, allocation.pool, sum(allocation.units) AS units FROM allocation JOIN orders ON orders.serial = allocation.serial WHERE orders.state = %s::VARCHAR GROUP BY allocation.sku, allocation.facility, allocation.pool ORDER BY allocation.sku, allocation.facility, allocation.pool",
    check_allocated="SELECT stock.sku, stock.facility, stock.pool, stock.allocated FROM stock WHERE stock.allocated != 0 ORDER BY stock.sku, stock.facility, stock.pool",
    check_numbers="SELECT orders.id, orders.version, anon_1.newest, anon_1.n FROM orders LEFT OUTER JOIN (SELECT event.subject AS subject, max(event.number) AS newest, count(*) AS n FROM event GROUP BY event.subject) AS anon_1 ON anon_1.subject = orders.id WHERE anon_1.newest IS NULL OR orders.version != anon_1.newest OR anon_1.n != anon_1.newest ORDER BY orders.serial",
    check_states="SELECT orders.id, orders.state, anon_1.target FROM orders JOIN (SELECT event.subject AS subject, event.number AS number, event.target AS target FROM event) AS anon_1 ON anon_1.subject = orders.id AND anon_1.number = orders.version WHERE anon_1.target != orders.state ORDER BY orders.serial",
    count_states="SELECT orders.state, count(*) AS count_1, min(orders.entered_at) AS min_1 FROM orders GROUP BY orders.state ORDER BY orders.state",
    count_policies="SELECT orders.short, count(*) AS count_1 FROM orders WHERE orders.state = %s::VARCHAR GROUP BY orders.short",
    count_middle="SELECT orders.entered_at FROM orders WHERE orders.state = %s::VARCHAR ORDER BY orders.entered_at ASC, orders.id ASC LIMIT 1 OFFSET %s",
    count_all="SELECT (SELECT count(*) AS count_1 FROM orders) AS orders, (SELECT count(*) AS count_2 FROM event) AS event, (SELECT count(*) AS count_3 FROM movement) AS movement, (SELECT count(*) AS count_4 FROM stock) AS stock, (SELECT count(*) AS count_5 FROM facility) AS facility, (SELECT count(*) AS count_6 FROM sku) AS sku",
)
