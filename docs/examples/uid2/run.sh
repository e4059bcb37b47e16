#!/usr/bin/env bash
# A UID2 operator's workload on Keyclave, literally; README.md says why. With an enclave of its own: keyclave dev -- ./run.sh
# shellcheck source=docs/examples/common.sh
. "$(dirname "$0")/../common.sh"
needed python3 python3

step "Two releases of the operator; the allow-list knows the first"
build operator -DRELEASE='"5.41"'
build operator-new -DRELEASE='"5.42"'
RUNNING=$(measurement ./operator)
NEXT=$(measurement ./operator-new)
for file in enclaves.json operator-config.json Occlum.json callers.yaml; do sed "s/@MEASUREMENT@/$RUNNING/" "$HERE/$file" >"$file"; done
cat enclaves.json

step "The allow-list becomes a set of reference values, product id and version a policy"
python3 "$HERE/adopt.py" set . | tee operator-enclaves.yaml
python3 "$HERE/adopt.py" policy . | tee operator-policy.yaml
say keyclave policy test callers.yaml

step "A token under that policy"
# This trial's callers are processes of this machine with simulated evidence, of product 0 and security version 1, and two hours
# are two seconds. In an enclave of SGX leave out this sed; then nothing else differs.
sed -e 's/tee: {is: sgx}/tee: {is: simulated}/; s/product_id: {is: "770"}/product_id: {is: "0"}/; s/svn: {min: 2}/svn: {min: 1}/' \
  -e 's/max_age: 2h/max_age: 2s/; s/^  - operations:/  - allow_unattested: true\n    operations:/' operator-policy.yaml >trial-policy.yaml
say keyclave token create operator --policy trial-policy.yaml
export KEYCLAVE_TOKEN=operator
say keyclave set apply operator-enclaves.yaml

step "The operator's API tokens leave its configuration and go into the enclave"
for name in core_api_token optout_api_token; do
  (umask 077 && python3 "$HERE/adopt.py" secret . "$name" >"$name.txt")
  say pkcs11-tool --module "$MODULE" --token-label operator --write-object "$name.txt" --type data --label "$name" --private
done
sed -i '/api_token/d' operator-config.json
cat operator-config.json
say keyclave key generate --type aes:256 --usage encrypt --label identity

step "Before it starts: what is wrong here (there: E01 to E08), and what can this machine prove"
say keyclave doctor
say keyclave evidence show --self

step "It starts, reads its API token, and makes advertising tokens"
mkfifo requests
./operator <requests >operator.log 2>&1 &
STARTED+=($!)
exec 3>requests
answered() { [ "$(wc -l <operator.log)" -gt "$1" ]; }
ask() { # REQUEST: the operator's answer, once it is there
  local before
  before=$(wc -l <operator.log)
  echo "$1" >&3
  until_true "the operator's answer" answered "$before"
  tail -n 1 operator.log
}
until_true "the operator" grep -q core_api_token operator.log
cat operator.log
sha256sum core_api_token.txt && rm core_api_token.txt optout_api_token.txt
ask "token ada@example.com"

step "Evidence is shown anew when it is too old (there: a timer, ten minutes before the token expires)"
attested() { keyclave audit export | grep '"event":"grant"' | grep '"operation":"encrypt"' | grep -c "\"measurement\":\"$RUNNING\""; }
again() {
  ask "token ada@example.com" >/dev/null
  [ "$(attested)" -ge 2 ]
}
until_true "evidence of its second attestation" again
echo "the operator has shown its evidence $(attested) times, and noticed nothing"

step "A new release enters the allow-list while the old one runs; then the old one leaves it"
say keyclave set add operator-enclaves --value "$NEXT" --reason "operator-5.42"
echo "token ben@example.com" | ./operator-new
ask "token ada@example.com"
keyclave set show operator-enclaves --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["text"], end="")' |
  sed -e "/$RUNNING/,+1d; s/^version: 2$/version: 3/" >operator-enclaves.next.yaml
cat operator-enclaves.next.yaml
say keyclave set apply operator-enclaves.next.yaml --yes
ask "token ada@example.com" | tee refused.txt
grep -q refused refused.txt
echo "token ben@example.com" | ./operator-new
say keyclave explain identity
refused ./operator </dev/null # started anew, the old one does not get its API token either
exec 3>&-
echo "done"
