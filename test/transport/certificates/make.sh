#!/bin/sh
# Makes the certificates of the tests anew: two authorities, and the nodes and clients that they vouch for. Valid from
# 2020 to 2120, if nothing else is said. The keys of the authorities are thrown away.
set -eu
cd "$(dirname "$0")"
rm -f ./*.pem
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

# sign NAME SUBJECT AUTHORITY [DNS name]; an authority signs itself. FROM, UNTIL and USAGE differ where they are set
sign() {
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$2" -keyout "$1.key.pem" -out "$work/request" 2>/dev/null
  : >"$work/index"
  cat >"$work/config" <<CONFIG
[ca]
default_ca = authority
[authority]
database = $work/index
new_certs_dir = $work
rand_serial = yes
default_md = sha256
policy = any
email_in_dn = no
[any]
commonName = supplied
[authority_extensions]
basicConstraints = critical, CA:true
[node_extensions]
basicConstraints = CA:false
${4:+subjectAltName = DNS:$4}
${USAGE:+extendedKeyUsage = $USAGE}
CONFIG
  if [ "$1" = "$3" ]; then how="-selfsign -extensions authority_extensions"; else how="-cert $3.pem -extensions node_extensions"; fi
  # shellcheck disable=SC2086
  openssl ca -batch -notext -config "$work/config" -startdate ${FROM:-20200101000000Z} -enddate ${UNTIL:-21200101000000Z} \
    -keyfile "$3.key.pem" $how -in "$work/request" -out "$1.pem" 2>/dev/null
}

sign authority authority authority
sign another-authority another-authority another-authority
sign n1 n1 authority
sign n2 'machine 7' authority n2
sign n3 n3 authority
sign false-n2 n2 another-authority
sign client client authority
sign false-client client another-authority
UNTIL=20210101000000Z sign expired-n1 n1 authority
UNTIL=20210101000000Z sign expired-client client authority
FROM=21100101000000Z sign future-n1 n1 authority
USAGE=serverAuth sign server-only-n1 n1 authority
USAGE=clientAuth sign client-only-n1 n1 authority
rm authority.key.pem another-authority.key.pem
