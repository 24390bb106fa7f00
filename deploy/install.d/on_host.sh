#!/bin/sh
# What is left to do on a host, as root, once the files are there. POSIX sh; deploy/install sends it behind toml.sh and
# these variables: root prefix confdir replace start tls identity listen.
# shellcheck disable=SC2154
set -eu
config=$root$confdir/shoald.toml
pki=$root$confdir/tls.new

fail() {
  rm -rf "$pki" "$config.new"
  echo "$*" >&2
  exit 1
}

# Settings of its own that a configuration has win, but for who may speak to the agent: that is added to.
take_settings() {
  for setting in tls-cert:agent.crt tls-key:agent.key tls-ca:ca.crt; do
    key=${setting%:*}
    toml_set "$config" '' "$key" "\"$confdir/${setting#*:}\""
  done
  case $(toml_get "$config" '' listen) in
    '' | '""' | '[]') toml_set "$config" '' listen "[\"$listen\"]" ;;
  esac
  toml_set "$config" '' allow-identity "$(toml_with "$(toml_get "$config" '' allow-identity)" "$identity")"
}

take_certificates() {
  if [ -e "$root$confdir/ca.crt" ] && ! cmp -s "$root$confdir/ca.crt" "$pki/ca.crt"; then
    fail "$confdir/ca.crt is another CA, whose users this would lock out; give its directory as --ca-dir, or remove the file"
  fi
  for setting in tls-cert:agent.crt tls-key:agent.key tls-ca:ca.crt; do
    case $(toml_get "$config" '' "${setting%:*}") in
      '' | '""' | "\"$confdir/${setting#*:}\"") ;;
      *) fail "$confdir/shoald.toml has a ${setting%:*} of its own; install with --config, --cert, --key and --ca" ;;
    esac
  done
  [ -n "$(toml_with "$(toml_get "$config" '' allow-identity)" "$identity")" ] ||
    fail "$confdir/shoald.toml has an allow-identity of several lines; add \"$identity\" to it"
  mv -f "$pki/agent.key" "$pki/agent.crt" "$pki/ca.crt" "$root$confdir/"
  rmdir "$pki"
  take_settings
}

# Where no systemd runs: an agent that is there already ends, which leaves its processes alone.
start_by_hand() {
  "$prefix/bin/shoal" agent stop > /dev/null 2>&1 || :
  said=$({
    setsid "$prefix/sbin/shoald" --config "$confdir/shoald.toml" --ready-fd 3 3>&1 > /dev/null 2>> /var/log/shoald.log \
      < /dev/null &
  } | head -n 1)
  case $said in
    ready*) echo "installed, the agent runs; there is no systemd here: after a reboot start it so: $prefix/sbin/shoald --config $confdir/shoald.toml" ;;
    error*) fail "installed, but the agent does not start: ${said#error: }" ;;
    *) fail "installed, but the agent does not start: $(tail -n 1 /var/log/shoald.log)" ;;
  esac
}

if [ "$replace" = yes ] || [ ! -e "$config" ]; then
  mv -f "$config.new" "$config"
else
  rm -f "$config.new"
fi
lacking=$(for program in sbin/shoald bin/shoal; do ldd "$root$prefix/$program"; done 2> /dev/null |
  sed -n 's/^[[:space:]]*\(.*\) => not found/\1/p' | sort -u | tr '\n' ' ')
[ -z "$lacking" ] || fail "installed, but these libraries are missing: $lacking"
[ "$tls" != yes ] || take_certificates
if [ -n "$root" ] || [ "$start" != true ]; then
  echo "installed, not started"
elif [ ! -d /run/systemd/system ]; then
  start_by_hand
else
  systemctl daemon-reload
  systemctl enable --quiet shoald.service
  systemctl start shoal-processes.service
  systemctl restart shoald.service || { systemctl status --no-pager --lines 5 shoald.service >&2; exit 1; }
  echo "installed, the agent runs"
fi
