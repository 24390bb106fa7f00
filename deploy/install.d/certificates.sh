#!/bin/bash
# The certificates that deploy/install makes with openssl. Sourced; `fail SENTENCE` is that of deploy/install.

ca_days=3650
certificate_days=397

# check_ca DIR: whether the CA that is there can sign.
check_ca() {
  local dir=$1 file
  for file in ca.crt ca.key; do
    [[ -r $dir/$file ]] || fail "$dir/$file: cannot be read, though the CA has been made; give another --ca-dir"
  done
  [[ $(stat -Lc %a "$dir/ca.key") == [0-7]00 ]] ||
    fail "$dir/ca.key: others can read it; chmod 600 it if nobody has, else make a new CA"
  openssl x509 -in "$dir/ca.crt" -noout -checkend $((certificate_days * 86400)) > /dev/null ||
    fail "$dir/ca.crt ends in less than $certificate_days days; give another --ca-dir, and every host its new CA"
}

# make_ca DIR: ca.crt and ca.key in DIR (mode 0700; the key 0600), unless they are there.
make_ca() (
  umask 077
  dir=$1
  if [[ -e $dir/ca.crt || -e $dir/ca.key ]]; then
    check_ca "$dir"
    return
  fi
  { mkdir -p "$dir" && chmod 0700 "$dir"; } 2> /dev/null || fail "$dir: cannot be made"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days "$ca_days" \
    -set_serial "0x$(openssl rand -hex 16)" -keyout "$dir/ca.key.new" -out "$dir/ca.crt.new" -config <(
      printf '%s\n' '[req]' prompt=no distinguished_name=name x509_extensions=ca '[name]' "CN=Shoal of $(id -un)" \
        '[ca]' basicConstraints=critical,CA:TRUE keyUsage=critical,keyCertSign,cRLSign subjectKeyIdentifier=hash
    ) 2> "$dir/log" || fail "openssl could not make a CA: $(tail -n 1 "$dir/log")"
  rm -f "$dir/log"
  mv -f "$dir/ca.key.new" "$dir/ca.key"
  mv -f "$dir/ca.crt.new" "$dir/ca.crt"
  echo "made a CA: $dir" >&2
)

# make_certificate CA_DIR BASE USE NAME: BASE.key (mode 0600) and BASE.crt for serverAuth or clientAuth, of the one NAME
# (DNS:…, IP:… or URI:…), in the place of those that are there.
make_certificate() (
  umask 077
  ca=$1 base=$2 use=$3 name=$4
  if ! {
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=shoal" -keyout "$base.key.new" \
      -out "$base.csr" &&
      openssl x509 -req -in "$base.csr" -CA "$ca/ca.crt" -CAkey "$ca/ca.key" -days "$certificate_days" \
        -set_serial "0x$(openssl rand -hex 16)" -out "$base.crt.new" -extfile <(
          printf '%s\n' basicConstraints=critical,CA:FALSE keyUsage=critical,digitalSignature \
            "extendedKeyUsage=$use" "subjectAltName=critical,$name"
        )
  } 2> "$base.log"; then
    fail "openssl could not make a certificate for $name: $(tail -n 1 "$base.log")"
  fi
  mv -f "$base.key.new" "$base.key"
  mv -f "$base.crt.new" "$base.crt"
  chmod 0644 "$base.crt"
  rm -f "$base.csr" "$base.log"
)

# host_name HOST: how clients call it: without the user of ssh.
host_name() { echo "${1#*@}"; }

# typed_name HOST: the same as it stands in a list of hosts.
typed_name() {
  local name=${1#*@}
  if [[ $name == *:* ]]; then echo "[$name]"; else echo "$name"; fi
}

# alternative_name HOST: of its certificate, as a client looks for it.
alternative_name() {
  if [[ $1 =~ ^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+$ || $1 == *:* ]]; then
    echo "IP:$1"
  else
    echo "DNS:$1"
  fi
}
