"""Dual ascent: prices of lines, raised until the facilities that they pay for can fill them.

The linear relaxation of facility location has a dual with one price v_j per line. Each unit that a facility i could
give to line j pays (v_j - c_ij)+ towards the cost of opening i, and the slack of i is what is still unpaid:
s_i = F_i - sum a_ij (v_j - c_ij)+. For any prices at all,

    sum_j v_j d_j + sum_i min(0, s_i)

is a lower bound on every plan, and so is that plus max(0, s_i) on every plan that uses i.

D. Erlenkotter, "A Dual-Based Procedure for Uncapacitated Facility Location", Operations Research 26 (1978); O. Bilde
and J. Krarup, "Sharp Lower Bounds and Efficient Algorithms for the Simple Plant Location Problem", Annals of Discrete
Mathematics 1 (1977). Theirs has no stock; here a line that a paid facility fills only in part keeps rising.
"""

from __future__ import annotations

from collections.abc import Sequence

from orderstate.allocation.instance import Line


def ascend(lines: Sequence[Line], slack: list[int]) -> list[int]:
    """Raise the prices of `lines` round by round, one step a line, as long as a step gains; `slack` is paid down.

    Lines with few sources rise first. A step ends at the next dearer source, or where a facility is paid for. Prices
    are integers: where a payment does not divide, the facility is overpaid by less than the units of the line.
    Each line must be fillable. The last entry of `slack` is the segment ELSEWHERE, which must be 0.
    """
    prices = [segments[0][0] for _, segments in lines]
    reached = [0] * len(lines)
    active: list[dict[int, int]] = [{} for _ in lines]
    rising = sorted(range(len(lines)), key=lambda line: len(lines[line][1]))
    while rising:
        again = []
        for line in rising:
            need, segments = lines[line]
            price, at, paying = prices[line], reached[line], active[line]
            while at < len(segments) and segments[at][0] <= price:
                _, facility, units = segments[at]
                paying[facility] = paying.get(facility, 0) + units
                at += 1
            reached[line] = at
            step = segments[at][0] - price if at < len(segments) else 0
            for facility, units in paying.items():
                left = slack[facility]
                if left <= 0:
                    need -= units
                elif not step or left < units * step:
                    step = -(-left // units)
            if need > 0:
                for facility, units in paying.items():
                    slack[facility] -= units * step
                prices[line] = price + step
                again.append(line)
        rising = again
    return prices


def bound(lines: Sequence[Line], prices: Sequence[int], slack: Sequence[int]) -> int:
    """The lower bound that prices prove, given the slack that they leave."""
    total = sum(price * need for price, (need, _) in zip(prices, lines, strict=True))
    return total + sum(left for left in slack if left < 0)
