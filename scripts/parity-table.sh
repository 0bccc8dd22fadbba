#!/usr/bin/env bash
# Renders the parity table (tolerances from tests/parity/table.tsv, errors as the tests measured them) into docs/methodology.md.
#
#   scripts/parity-table.sh FOLDER           writes the table
#   scripts/parity-table.sh --check FOLDER   ends with 3 if a row was not measured, or the page has other rows or tolerances
#
# FOLDER is what the tests wrote with AQA_MEASURED=FOLDER. Rows that need the real clips (column `needs`) may be absent in a
# check where the clips are: the script names them.
set -euo pipefail
cd "$(dirname "$0")/.."
check=false
if [ "${1:-}" = --check ]; then check=true && shift; fi
folder=${1:?usage: scripts/parity-table.sh [--check] FOLDER}
table=tests/parity/table.tsv
page=docs/methodology.md
compgen -G "$folder/*.tsv" >/dev/null || { echo "parity-table: no measurements in $folder: run the tests with AQA_MEASURED=$folder" >&2; exit 4; }

# Largest error and number of values of each row.
render() {
    cat "$folder"/*.tsv | awk -F'\t' -v table="$table" -v measured="$1" '
        { if (!($1 in n) || $3 + 0 > worst[$1]) worst[$1] = $3 + 0; n[$1] += $2 }
        END {
            print "| part | what is compared with the reference | values | tolerance | measured |"
            print "|---|---|--:|--:|--:|"
            while ((getline line < table) > 0) {
                split(line, c, "\t")
                if (c[1] == "id") continue
                known[c[1]] = 1
                tolerance = c[4] == "exact" ? "exact" : c[4] " " c[5]
                if (!measured) { printf "| %s | %s (%s) | %s |\n", c[2], c[3], c[6], tolerance; continue }
                if (!(c[1] in n)) {
                    if (c[7] == "data") print "parity-table: not measured here, needs the real clips: " c[1] > "/dev/stderr"
                    else { print "parity-table: no test measured " c[1] > "/dev/stderr"; missing = 1 }
                    continue
                }
                found = c[4] == "exact" ? "exact" : sprintf("%.1e", worst[c[1]])
                printf "| %s | %s (%s) | %d | %s | %s |\n", c[2], c[3], c[6], n[c[1]], tolerance, found
            }
            for (id in n) if (!(id in known)) { print "parity-table: unknown row " id > "/dev/stderr"; missing = 1 }
            if (missing) exit 3
        }'
}

block() { awk '/<!-- END: parity -->/ { inside = 0 } inside { print } /<!-- BEGIN: parity -->/ { inside = 1 }' "$page"; }

if $check; then
    render 1 >/dev/null || exit 3
    wanted=$(render 0)
    found=$(block | awk -F' [|] ' 'NR <= 2 { print; next } NF { sub(/^[|] /, "", $1); printf "| %s | %s | %s |\n", $1, $2, $4 }')
    if [ "$wanted" != "$found" ]; then
        diff <(echo "$wanted") <(echo "$found") >&2 || true
        echo "parity-table: the rows or tolerances in $page are not those of $table; run scripts/parity-table.sh $folder" >&2
        exit 3
    fi
    echo "parity-table: every row was measured, and $page has the same rows and tolerances"
else
    rows=$(mktemp)
    trap 'rm -f "$rows"' EXIT
    render 1 >"$rows"
    awk -v rows="$rows" '
        /<!-- BEGIN: parity -->/ { print; while ((getline line < rows) > 0) print line; inside = 1; next }
        /<!-- END: parity -->/ { inside = 0 }
        !inside { print }' "$page" >"$page.new"
    mv "$page.new" "$page"
    echo "parity-table: $page has the table"
fi
