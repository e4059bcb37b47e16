// A client of keyclave sds by Envoy's own published definitions (npm: @grpc/grpc-js-xds carries them), in Node's own gRPC.
// Usage: node sds_node_client.js MODULES SOCKET; prints one JSON object per step.
'use strict';
const path = require('path');
const [modules, socket] = process.argv.slice(2);
const load = name => require(require.resolve(name, {paths: [modules]}));
const grpc = load('@grpc/grpc-js');
const loader = load('@grpc/proto-loader');
const deps = path.join(modules, '@grpc', 'grpc-js-xds', 'deps');
const includeDirs = ['envoy-api', 'xds', 'googleapis', 'protoc-gen-validate'].map(name => path.join(deps, name));
const definition = loader.loadSync(
    ['envoy/service/secret/v3/sds.proto'],
    {keepCase: true, longs: String, enums: String, oneofs: true, includeDirs});
const packages = grpc.loadPackageDefinition(definition);
const Service = packages.envoy.service.secret.v3.SecretDiscoveryService;
const TYPE = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret';
const client = new Service(`unix:${socket}`, grpc.credentials.createInsecure());
const node = {id: 'node-test', cluster: 'tests'};

// proto-loader gives messages a type only; their own codec comes with protobufjs.
const protobuf = load('protobufjs');
const root = new protobuf.Root();
root.resolvePath = (origin, target) => {
  const known = protobuf.util.path.resolve(origin, target);
  for (const dir of includeDirs) {
    const candidate = path.join(dir, target);
    if (require('fs').existsSync(candidate)) return candidate;
  }
  return known;
};
root.loadSync('envoy/extensions/transport_sockets/tls/v3/secret.proto', {keepCase: true});
const Secret = root.lookupType('envoy.extensions.transport_sockets.tls.v3.Secret');
function decode(value) {
  return Secret.toObject(Secret.decode(value), {bytes: String});
}
function show(step, any, more) {
  const secret = decode(any.value);
  console.log(JSON.stringify({step, type: any.type_url, secret, ...more}));
}
function fail(error) {
  console.error(String(error));
  process.exit(1);
}

function world() {
  return new Promise(resolve => {
    const stream = client.StreamSecrets();
    let seen = 0;
    stream.on('error', error => error.code === grpc.status.CANCELLED || fail(error));
    stream.on('data', response => {
      show('stream', response.resources[0], {nonce: response.nonce, version: response.version_info});
      stream.write({type_url: TYPE, node, resource_names: ['quick'], response_nonce: response.nonce,
                    version_info: response.version_info});
      if (++seen === 2) {
        stream.cancel();
        resolve();
      }
    });
    stream.write({type_url: TYPE, node, resource_names: ['quick']});
  });
}

function delta() {
  return new Promise(resolve => {
    const stream = client.DeltaSecrets();
    const versions = [];
    stream.on('error', error => error.code === grpc.status.CANCELLED || fail(error));
    stream.on('data', response => {
      const resource = response.resources[0];
      show('delta', resource.resource, {name: resource.name, version: resource.version});
      versions.push(resource.version);
      if (versions.length === 1) {  // a refusal, in Envoy's way
        stream.write({type_url: TYPE, response_nonce: response.nonce, error_detail: {code: 3, message: 'rejected by the test'}});
      } else {
        stream.write({type_url: TYPE, response_nonce: response.nonce, resource_names_unsubscribe: ['edge']});
        stream.cancel();
        resolve();
      }
    });
    stream.write({type_url: TYPE, node, resource_names_subscribe: ['edge'], initial_resource_versions: {edge: 'old'}});
  });
}

function fetchOnce(names) {
  return new Promise(resolve => client.FetchSecrets({type_url: TYPE, node, resource_names: names}, (error, response) => {
    if (error) console.log(JSON.stringify({step: 'refused', code: grpc.status[error.code]}));
    else response.resources.forEach(any => show('fetch', any, {version: response.version_info}));
    resolve();
  }));
}

(async () => {
  await world();
  await delta();
  await fetchOnce(['edge', 'roots']);
  await fetchOnce(['other']);
  client.close();
})().catch(fail);
