#!/usr/bin/env bash
# CLF's keys and files on Keyclave, literally; README.md says why. With an enclave of its own: keyclave dev -- ./run.sh
# shellcheck source=docs/examples/common.sh
. "$(dirname "$0")/../common.sh"
needed javac default-jdk-headless
export PYTHONDONTWRITEBYTECODE=1
PYTHON=/usr/bin/python3 # Debian's, whose packages are python3-pykcs11 and python3-cryptography
JAVA=$(readlink -f "$(command -v java)")

step "The clients: C, Python, Java; and a build that nobody reviewed"
build client -DRELEASE='"1"'
build client-other -DRELEASE='"2"'
say javac -d . "$HERE/Client.java"
C=$(measurement ./client)
TOOL=$(measurement "$(command -v pkcs11-tool)") # with which the owner fetches results

step "The server's configuration"
sed "s/@MEASUREMENT@/$C/" "$HERE/clf_server.conf" >clf_server.conf
grep -v '^secret' clf_server.conf
conf() { sed -n "s/^$1 *= *//p" clf_server.conf; }

step "What it says of clients becomes a policy and a set"
cat >policy.yaml <<POLICY
policy: clf
version: 1
permit:
  - operations: [read, create]
    when:
      tee: {is: sgx}
      measurement: {in-set: clf-clients}
      product_id: {is: "$(conf isv_prod_id)"}
      svn: {min: $(conf isv_svn)}
  - operations: [decrypt, encrypt]
    mechanisms: [aes-cbc]
    when:
      tee: {is: sgx}
      measurement: {in-set: clf-clients}
      product_id: {is: "$(conf isv_prod_id)"}
      svn: {min: $(conf isv_svn)}
  # the owner's own tool fetches results
  - operations: [read]
    when: {tee: {is: sgx}, measurement: {is: $TOOL}}
POLICY
# Zeros there mean: any signer. Here what is not said is not asked, and the measurement names the program.
expr "$(conf MRSigner)" : '0*$' >/dev/null || sed -i "s/^      product_id/      signer: {is: $(conf MRSigner)}\n&/" policy.yaml
# This trial's callers are processes of this machine with simulated evidence. In enclaves of SGX leave out this sed; then nothing
# else differs.
sed -i -e 's/tee: {is: sgx}/tee: {is: simulated}/; s/^  - operations:/  - allow_unattested: true\n    operations:/' policy.yaml
cat policy.yaml
cat >clients.yaml <<SET
set: clf-clients
version: 1
entries:
  - {value: "$(conf MREnclave)", reason: MREnclave of clf_server.conf}
SET
say keyclave token create clf --policy policy.yaml
export KEYCLAVE_TOKEN=clf
say keyclave set apply clients.yaml
# More clients are more values, and not another server.
say keyclave set add clf-clients --value "$(measurement "$PYTHON")" --reason "the client in Python"
say keyclave set add clf-clients --value "$(measurement "$JAVA")" --reason "the client in Java"

step "The secret goes into the enclave, from a file and not from an argument, and out of the configuration"
(umask 077 && unhex "$(conf secret)" >secret.key)
sed -i '/^secret/d' clf_server.conf
tool() { pkcs11-tool --module "$MODULE" --token-label clf "$@"; }
# As a key, which is used in the enclave and stays there …
say tool --write-object secret.key --type secrkey --key-type AES:32 --label files --id 01 --usage-decrypt --private --sensitive
# … and, for programs that must have it (get_key), as data that they may read.
say tool --write-object secret.key --type data --label secret --private

step "A small file is a data object; a large one lies anywhere, encrypted"
printf '{"model": "linear", "weights": [%s]}\n' "$(seq -s , 1 130000)" >model.json
say "$PYTHON" "$HERE/put.py" model.json model.json
seq 100000 1599999 >readings.txt
"$PYTHON" "$HERE/../cbc.py" seal secret.key <readings.txt >readings.sealed
ls -l model.json readings.sealed
WANTED=$(awk '{ sum += $1 } END { printf "lines %d, sum %.0f", NR, sum }' readings.txt)
rm model.json readings.txt

step "C"
say ./client readings.sealed
step "Python"
say "$PYTHON" "$HERE/client.py" readings.sealed
step "Java"
cat >java.cfg <<CFG
name = clf
library = $MODULE
slot = $(keyclave token list | awk '$1 == "clf" { print $3 }')
CFG
say java -cp . Client java.cfg readings.sealed result.java.sealed

step "What they sent back (there: put_result)"
for language in c python; do
  tool --read-object --type data --label "result/$language" --output-file "result.$language" >/dev/null
done
"$PYTHON" "$HERE/../cbc.py" open secret.key <result.java.sealed >result.java
for language in c python java; do
  printf '%s: ' "$language"
  grep "$WANTED" "result.$language"
done

step "Who is refused"
refused ./client-other readings.sealed
refused pkcs11-tool --module "$MODULE" --token-label clf --decrypt --mechanism AES-CBC-PAD --iv 00000000000000000000000000000000 \
  --id 01 --input-file result.java.sealed --output-file no.txt
say keyclave explain files
rm secret.key
echo "done"
