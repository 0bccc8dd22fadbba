#!/usr/bin/env bash
# Renders the parity table (tolerances from tests/parity/table.tsv, errors as the tests measured them) into docs/methodology.md.
#
#   scripts/parity-table.sh FOLDER           writes the table
#   scripts/parity-table.sh --check FOLDER   ends with 3 if a row was not measured, or the page has other rows, tolerances or
#                                            numbers of values
#
# FOLDER is what one run of the tests with libtorch wrote with AQA_MEASURED=FOLDER. Rows that need the real data (column `needs`)
# are not checked where it is absent: the script names them. Errors differ between processors: they are held by the tests alone.
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
                if (!(c[1] in n)) {
                    if (c[7] == "data") print "parity-table: not measured here, needs the real data: " c[1] > "/dev/stderr"
                    else { print "parity-table: no test measured " c[1] > "/dev/stderr"; missing = 1 }
                    if (!measured) printf "| %s | %s (%s) | * | %s |\n", c[2], c[3], c[6], tolerance
                    continue
                }
                if (!measured) { printf "| %s | %s (%s) | %d | %s |\n", c[2], c[3], c[6], n[c[1]], tolerance; continue }
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
    wanted=$(render 0 2>/dev/null)
    # The number of values of a row that was not measured here may be any.
    found=$(block | awk -F' [|] ' 'NR <= 2 { print; next } NF { printf "%s | %s | %s | %s |\n", $1, $2, $3, $4 }')
    found=$(paste -d '\n' <(echo "$wanted") <(echo "$found") | awk -F' [|] ' '
        NR % 2 { any = $3 == "*"; next }
        any { printf "%s | %s | * | %s\n", $1, $2, $4; next }
        { print }')
    if [ "$wanted" != "$found" ]; then
        diff <(echo "$wanted") <(echo "$found") >&2 || true
        echo "parity-table: the rows, tolerances or numbers of values in $page are not those of $table and the tests; run scripts/parity-table.sh $folder" >&2
        exit 3
    fi
    echo "parity-table: every row was measured, and $page has the same rows, tolerances and numbers of values"
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
