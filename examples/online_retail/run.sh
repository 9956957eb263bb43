#!/bin/sh
# A year of a British shop, from an empty database to its last order: run.sh [FILE [DATABASE]]
# FILE is online_retail.csv.gz (see README.md); DATABASE must not be there yet.
set -eu
here=$(dirname "$0")
file=${1:-$here/../../../shared/data/online_retail/online_retail.csv.gz}
ORDERSTATE_DB=${2:-online_retail.db}
export ORDERSTATE_DB
stock=$(mktemp)
trap 'rm -f "$stock"' EXIT

orderstate init
orderstate facility import "$here/facilities.csv"
python "$here/make_stock.py" "$file" >"$stock"
orderstate stock import "$stock"
orderstate import orders "$file" --map online-retail --replay
orderstate doctor
