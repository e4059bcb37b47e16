#!/usr/bin/env bash
# EnclaveID's secrets on Keyclave, literally; README.md says why. With an enclave of its own: keyclave dev -- ./run.sh
# shellcheck source=docs/examples/common.sh
. "$(dirname "$0")/../common.sh"
needed openssl openssl
needed cryptsetup cryptsetup-bin
PATH=$PATH:/usr/sbin:/sbin
ROOT=$(sed -n 's/^ *root: *"\{0,1\}\([^",}]*\).*/\1/p' "$KEYCLAVE_CONFIG") # of simulated evidence

step "The two containers: create-secrets is a program, load-secrets is the command keyclave"
build secrets -DRELEASE='"1"'
build secrets-other -DRELEASE='"2"'
CREATE=$(measurement ./secrets)
LOAD=$(measurement "$(command -v keyclave)")
SERVER=$(measurement "$(command -v openssl)")
echo "create-secrets $CREATE"
echo "load-secrets $LOAD"

step "The release policy, as the vault has it"
# The host sets hostdata as it likes, and any machine of that kind may carry it: by itself it names no workload.
refused keyclave policy convert --from azure-skr "$HERE/skr-policy.json" --operations derive,release
# So the source says what was measured at launch, of either container.
sed "s/@CREATE_SECRETS@/$CREATE/; s/@LOAD_SECRETS@/$LOAD/" "$HERE/skr-policy-measured.json" >skr-policy.json
say keyclave policy convert --from azure-skr skr-policy.json --name root-secret --operations derive,release -o converted.yaml
cat converted.yaml
# `immutable`, which the vault was never told: nobody changes this policy, with whatever signatures.
sed -i 's/^version: 1$/&\nlocked: true/' converted.yaml
# This trial's callers are processes of this machine with simulated evidence and no token of an attestation service. On machines
# of SEV-SNP with such tokens leave out this sed; with the hardware's own evidence write {tee: {is: sev-snp}} in it.
trial() {
  sed -e 's/{tee: {is: token}}/{tee: {is: simulated}}/; /token\./d; /host_data/d' -e 's/tee: {is: sev-snp}/tee: {is: simulated}/' \
    -e 's/^  - operations:/  - allow_unattested: true\n    operations:/'
}
trial <converted.yaml >root-secret.yaml
cat root-secret.yaml

step "The root secret, and one derived from it, are made in the enclave, and nobody takes them out"
say keyclave token create mesh --policy root-secret.yaml
export KEYCLAVE_TOKEN=mesh
say ./secrets root
for secret in root intermediate; do refused keyclave key release "$secret" --unwrap -o no.key; done
refused keyclave policy apply root-secret.yaml --yes
refused ./secrets-other volume data-1
refused keyclave explain root --operation derive --claim tee=simulated --claim "measurement=$(measurement ./secrets-other)" \
  --claim debug=false

step "A CA whose key is in the enclave, for leaves of attested callers only"
trial >mesh-ca.yaml <<POLICY
policy: mesh-ca
version: 1
permit:
  - operations: [issue]
    issue:
      dns: [.mesh.example]
      usages: [server-auth, client-auth]
      max_validity: 24h
      claims: [tee, measurement]
    when: {tee: {is: sev-snp}, measurement: {is: $LOAD}}
  - operations: [sign]
    mechanisms: [ecdsa]
    input: x509-crl
    when: {tee: {is: sev-snp}, measurement: {is: $LOAD}}
POLICY
trial >web-tls.yaml <<POLICY
policy: web-tls
version: 1
permit:
  - operations: [sign]
    mechanisms: [ecdsa]
    input: tls-server
    when: {tee: {is: sev-snp}, measurement: {is: $SERVER}}
POLICY
say keyclave policy apply mesh-ca.yaml
say keyclave policy apply web-tls.yaml
say keyclave key generate --type ec:p256 --label mesh-ca --policy mesh-ca
say keyclave cert self-sign mesh-ca --subject "CN=Harbour ID CA" --ca --days 365 --import --out ca.crt
# What may be done with the CA's key is attested; the vault could not, which is why a second secret was derived there.
say keyclave key attest mesh-ca -o mesh-ca.attestation
cat >expect.yaml <<EXPECT
expect: {tee: {is: simulated}, measurement: {is: $(measurement "$(command -v keyclaved)")}}
EXPECT
say keyclave evidence verify mesh-ca.attestation --expect expect.yaml --trust "$ROOT"

step "load-secrets of two pods: each has a key of its own, and gets a leaf for a day at most"
leaf() { # NAME, request
  say keyclave ca issue mesh-ca --csr "$2" --name "$1.mesh.example" --ttl 12h -o "$1.crt"
}
# The server's key is in the enclave, too; the client's is its own.
say keyclave key generate --type ec:p256 --label web --policy web-tls
say keyclave cert csr web --subject CN=web.mesh.example --out web.csr
leaf web web.csr
say keyclave cert import web.crt
say keyclave key reference web --out web.key
client() { # NAME
  say openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout "$1.key" -out "$1.csr" -subj "/CN=$1"
  leaf "$1" "$1.csr"
}
client api
say openssl x509 -in api.crt -noout -subject -issuer -enddate -ext subjectAltName,extendedKeyUsage
refused keyclave ca issue mesh-ca --csr api.csr --name web.other.example -o no.crt
refused keyclave ca issue mesh-ca --csr api.csr --name api.mesh.example --ttl 48h -o no.crt

step "Mutual TLS between the two"
serve() { # LOG [ARG…]: sets PORT
  local log=$1
  shift
  keyclave run -- openssl s_server -accept 127.0.0.1:0 -cert web.crt -key web.key -CAfile ca.crt -Verify 1 -verify_return_error \
    -www "$@" >"$log" 2>&1 &
  STARTED+=($!)
  until_true "the server" grep -q '^ACCEPT 127' "$log"
  PORT=$(sed -n 's/^ACCEPT 127.0.0.1://p' "$log")
}
talk() { # NAME
  printf 'GET / HTTP/1.0\r\n\r\n' | timeout 20 openssl s_client -connect "127.0.0.1:$PORT" -CAfile ca.crt -cert "$1.crt" -key "$1.key" \
    -verify_return_error -verify_hostname web.mesh.example -quiet >talk.out 2>&1 || true
  grep -o 'HTTP/1.0 200 ok' talk.out || {
    grep -m 1 alert talk.out
    return 1
  }
}
serve server.log
say talk api
# With the CA's certificate alone, and no leaf.
talk_as_stranger() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout stranger.key -out stranger.crt -subj /CN=stranger 2>/dev/null
  talk stranger
}
refused talk_as_stranger
# The server's key is the attested one: whoever connects can ask for that, too.
say keyclave key attest web -o web.attestation
say keyclave evidence verify web.attestation --expect expect.yaml --trust "$ROOT" --tls "127.0.0.1:$PORT"

step "A pod is broken into: its leaf is revoked"
SERIAL=$(openssl x509 -in api.crt -noout -serial | cut -d= -f2)
say keyclave ca crl mesh-ca --revoke "$SERIAL:key-compromise" -o mesh.crl
say openssl crl -in mesh.crl -CAfile ca.crt -verify -noout
serve server-crl.log -CRL mesh.crl -crl_check
refused talk api
client api2
say talk api2

step "The encrypted volume of a pod: its key is derived, and released to load-secrets"
say ./secrets volume data-1
volume_key() { say keyclave key release volume/data-1 --unwrap -o volume.key; }
volume_key
truncate -s 20M volume
say cryptsetup luksFormat --batch-mode --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file volume.key volume
rm volume.key
# The pod starts again elsewhere, and the object is lost, too: it is derived anew, and is the same.
say keyclave key delete volume/data-1 --yes
say ./secrets volume data-1
volume_key
say cryptsetup open --test-passphrase --key-file volume.key volume
# Another volume has another key.
say ./secrets volume data-2
say keyclave key release volume/data-2 --unwrap -o other.key
refused cryptsetup open --test-passphrase --key-file other.key volume
rm volume.key other.key
echo "done"
