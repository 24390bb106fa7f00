#!/bin/sh
# Reads and sets single settings of a TOML file, here and on hosts; POSIX sh. Sourced. A value stands in one line, and is
# given and told as it is written there: "text", ["one", "two"].

# toml_get FILE SECTION KEY: the value; nothing if it is not set. SECTION "" is what stands before the first one.
toml_get() {
  [ -e "$1" ] || return 0
  section=$2 key=$3 awk '
    /^[[:space:]]*\[/ { here = $0; gsub(/^[[:space:]]*\[|\].*$/, "", here); next }
    here == ENVIRON["section"] && $0 ~ "^[[:space:]]*" ENVIRON["key"] "[[:space:]]*=" {
      sub(/^[^=]*=[[:space:]]*/, ""); sub(/[[:space:]]+$/, ""); print; exit
    }' "$1"
}

# toml_set FILE SECTION KEY VALUE: in the place of the old value, else of the first line where it stands as a comment,
# else at the end of the section, which is made if it is not there. A file that is new is like an empty one.
toml_set() {
  [ "$(toml_get "$1" "$2" "$3")" != "$4" ] || return 0
  toml_mark='#'
  [ -z "$(toml_get "$1" "$2" "$3")" ] || toml_mark=''
  toml_new=$1.new.$$
  [ -e "$1" ] || : > "$1"
  cp -p "$1" "$toml_new"
  mark=$toml_mark section=$2 key=$3 value=$4 awk '
    function put() { print ENVIRON["key"] " = " ENVIRON["value"]; done = 1 }
    /^[[:space:]]*\[/ {
      if (!done && here == ENVIRON["section"]) { put(); print "" }
      here = $0; gsub(/^[[:space:]]*\[|\].*$/, "", here)
    }
    !done && here == ENVIRON["section"] && $0 ~ "^[[:space:]]*" ENVIRON["mark"] "[[:space:]]*" ENVIRON["key"] "[[:space:]]*=" {
      put(); next
    }
    { print }
    END {
      if (done) exit
      if (here != ENVIRON["section"]) print (NR > 0 ? "\n" : "") "[" ENVIRON["section"] "]"
      put()
    }' "$1" > "$toml_new" && mv -f "$toml_new" "$1"
}

# toml_with LIST TEXT: a list of texts, as written, with TEXT in it; "" if LIST is not one in one line.
toml_with() {
  case $1 in
    '' | '""' | '[]') echo "[\"$2\"]" ;;
    *"\"$2\""*) echo "$1" ;;
    \[*\]) echo "${1%]}, \"$2\"]" ;;
    \"*\") echo "[$1, \"$2\"]" ;;
  esac
}
