#!/usr/bin/env bash
# CapsuleManager's workload on Keyclave, literally; README.md says why. With an enclave of its own: keyclave dev -- ./run.sh
# shellcheck source=docs/examples/common.sh
. "$(dirname "$0")/../common.sh"

step "The application, and a build of it that nobody reviewed"
build study -DRELEASE='"1"'
build study-other -DRELEASE='"2"'
APPLICATION=$(measurement ./study)
OTHER=$(measurement ./study-other)
TOOL=$(measurement "$(command -v pkcs11-tool)") # with which owners seal their records
EXPORTER=$(measurement "$(command -v keyclave)") # with which an owner takes the result's key
echo "application $APPLICATION"
echo "other build $OTHER"

step "Two data owners, each with a key (there: RegisterCert, the first who comes)"
for owner in clinic registry; do say keyclave owner keygen "$owner" -o "$owner.pem"; done
CLINIC=clinic=clinic.pem
REGISTRY=registry=registry.pem

step "Their rules, as CapsuleManager has them"
for owner in clinic registry; do sed "s/@MEASUREMENT@/$APPLICATION/" "$HERE/$owner-rules.json" >"$owner-rules.json"; done
convert() {
  say keyclave policy convert --from capsulemanager "$1-rules.json" -o "$1.converted.yaml" \
    --party Q7XM2UNIVERSITY=tls.san=study.university.example --op OP_JOIN=decrypt,derive,encrypt
}
# A key opens all that it encrypts, so a rule for some columns is a rule for nothing until those columns have their own key.
refused convert clinic
# They get one, visits/2031/codes; in its rules it is "*". The other columns, visits/2031/persons, nobody else may open.
say sed -i 's/"columns": \["person", "code"\]/"columns": ["*"]/' clinic-rules.json
convert clinic
convert registry

step "What CapsuleManager had elsewhere: whose policy it is, who may seal, and the vote before an export"
complete() {
  sed "s/^version: 1$/&\nchange: {quorum: 1, of: [$1]}/" "$1.converted.yaml"
  cat <<POLICY
  # $1's own tool seals records, and opens none
  - operations: [encrypt]
    when: {tee: {is: sgx}, measurement: {is: $TOOL}}
  # what is made of this key leaves the enclave with $1's vote; the key itself is not extractable
  - operations: [release]
    when: {tee: {is: sgx}, measurement: {is: $EXPORTER}}
    approvals: {quorum: 1, of: [$1]}
POLICY
}
# This trial's callers are processes of this machine with simulated evidence: known by their user, of tee simulated. In an
# enclave of SGX leave out this sed; then nothing else differs.
trial() {
  sed -e 's/{tee: {in: \[sgx, tdx\]}}/{tee: {is: simulated}}/; s/tee: {is: sgx}/tee: {is: simulated}/' \
    -e "s/{tls.san: {is: \"*study.university.example\"*}}/{peer.uid: {is: $(id -u)}}/" \
    -e 's/^  - operations:/  - allow_unattested: true\n    operations:/'
}
for owner in clinic registry; do complete "$owner" | trial >"$owner.yaml"; done
cat clinic.yaml
# Whoever may make result keys: the policy of the scope.
trial >scope.yaml <<POLICY
policy: study
version: 1
change: {quorum: 2, of: [clinic, registry]}
permit:
  - operations: [create]
    when: {tee: {is: sgx}, measurement: {is: $APPLICATION}}
POLICY
# And for columns that are nobody's but the clinic's.
trial >clinic-only.yaml <<POLICY
policy: clinic-only
version: 1
change: {quorum: 1, of: [clinic]}
permit:
  - operations: [encrypt]
    when: {tee: {is: sgx}, measurement: {is: $TOOL}}
POLICY

step "The scope is a token, and both own it; each applies its own policy"
say keyclave token create study --policy scope.yaml --owner "$CLINIC" --owner "$REGISTRY" --quorum 2
export KEYCLAVE_TOKEN=study
say keyclave policy apply clinic.yaml --owner "$CLINIC"
say keyclave policy apply clinic-only.yaml --owner "$CLINIC"
say keyclave policy apply registry.yaml --owner "$REGISTRY"

step "Data keys by resource URI (there: CreateDataKeys with the key in the request; here nobody has ever had it)"
data_key() { # URI, policy, owner, CKA_ID
  say keyclave key generate --type aes:256 --usage encrypt,decrypt,derive --label "$1" --policy "$2" --owner "$3" --id "$4"
}
data_key visits/2031/codes visits "$CLINIC" 01
data_key visits/2031/persons clinic-only "$CLINIC" 02
data_key diagnoses/2031/all diagnoses "$REGISTRY" 03

step "The owners seal their records"
printf 'p1,E11\np2,I10\np3,E11\np5,J45\n' >codes.csv
printf 'p1,Ada Lindow\np2,Ben Marl\np3,Cy Ferrer\np5,Dee Holm\n' >persons.csv
printf 'p1,E11\np3,I10\np4,J45\np5,J45\n' >diagnoses.csv
seal() { # CKA_ID, file
  local iv
  iv=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  say pkcs11-tool --module "$MODULE" --token-label study --encrypt --mechanism AES-CBC-PAD --iv "$iv" --id "$1" \
    --input-file "$2" --output-file "$2.body"
  { unhex "$iv" && cat "$2.body"; } >"$2.sealed"
  rm "$2" "$2.body"
}
seal 01 codes.csv
seal 02 persons.csv
seal 03 diagnoses.csv

step "The attested application joins them; its result has a new key, made of both"
say ./study visits/2031/codes codes.csv.sealed diagnoses/2031/all diagnoses.csv.sealed joined/2031 joined.sealed
for key in "joined/2031, both parents" joined/2031; do
  keyclave key show "$key" --owner "$CLINIC" | grep -E 'label|polic|extract|creator'
done

step "Who is refused"
# The rule for columns: the application gets the codes, and does not even see the key of the persons.
refused ./study visits/2031/persons persons.csv.sealed diagnoses/2031/all diagnoses.csv.sealed no/2031 no.sealed
# The owner's tool may seal with a key, and not open.
refused pkcs11-tool --module "$MODULE" --token-label study --decrypt --mechanism AES-CBC-PAD \
  --iv 00000000000000000000000000000000 --id 01 --input-file codes.csv.sealed --output-file no.csv
say keyclave explain visits/2031/codes --owner "$CLINIC"
# The other build sees no key at all.
refused ./study-other visits/2031/codes codes.csv.sealed diagnoses/2031/all diagnoses.csv.sealed no/2031 no.sealed
refused keyclave explain visits/2031/codes --operation decrypt --owner "$CLINIC" \
  --claim tee=simulated --claim "measurement=$OTHER" --claim "peer.uid=$(id -u)"

step "The result leaves with the votes of both owners (there: a vote certificate)"
take() { keyclave key release joined/2031 --unwrap -o joined.key; }
vote() {
  say keyclave approve joined/2031 --operation release --tee simulated --measurement "$EXPORTER" --for 1h \
    --reason "the study's result" --owner "$1"
}
refused take
vote "$CLINIC"
refused take
vote "$REGISTRY"
take
/usr/bin/python3 "$HERE/../cbc.py" open joined.key <joined.sealed | tee joined.txt
say keyclave audit key --out audit.pem
say keyclave audit receipt joined.key.receipt --key audit.pem
# The data keys themselves go nowhere, whatever is voted.
say keyclave approve visits/2031/codes --operation release --tee simulated --measurement "$EXPORTER" --for 1h \
  --reason "not possible" --owner "$CLINIC"
refused keyclave key release visits/2031/codes --unwrap -o no.key
echo "done"
