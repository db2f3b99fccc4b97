// Foreign HTTP of Node: a client of our server (fetch, and http or https with keep-alive), and a server for our client.
//
//     node http_peer.js client URL [CA]      prints `ok N checks`
//     node http_peer.js server               prints `listening on PORT`
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');

const LARGE = Buffer.alloc(3_000_000, 'large body ');
let checks = 0;
function same(what, got, wanted) {
  assert.deepStrictEqual(got, wanted, what);
  checks += 1;
}

function ask(url, options, pieces) {
  const scheme = url.startsWith('https') ? https : http;
  return new Promise((resolve, reject) => {
    const request = scheme.request(url, options, (response) => {
      const all = [];
      response.on('data', (data) => all.push(data));
      response.on('end', () => resolve([response.statusCode, Buffer.concat(all)]));
      response.on('error', reject);
    });
    request.on('error', reject);
    const send = () => {
      for (const piece of pieces) request.write(piece);
      request.end();
    };
    if (options.headers && options.headers.expect) request.on('continue', send);
    else send();
  });
}

async function client(url, ca) {
  const scheme = url.startsWith('https') ? https : http;
  const agent = new scheme.Agent({ keepAlive: true, maxSockets: 4, ca: ca && fs.readFileSync(ca) });
  const hello = await Promise.all(Array.from({ length: 50 }, () => ask(url + '/hello', { agent }, [])));
  for (const [status, body] of hello) same('GET', [status, body.toString()], [200, 'hello\n']);
  const halves = [LARGE.subarray(0, 1_000_000), LARGE.subarray(1_000_000)];
  const [, back] = await ask(url + '/echo', { agent, method: 'POST' }, halves);
  same('chunked', back.equals(LARGE), true);
  const headers = { expect: '100-continue' };
  const [, waited] = await ask(url + '/echo', { agent, method: 'POST', headers }, halves);
  same('chunked after 100', waited.equals(LARGE), true);
  if (!ca) {
    const response = await fetch(url + '/echo', { method: 'POST', body: LARGE });
    same('fetch', Buffer.from(await response.arrayBuffer()).equals(LARGE), true);
    same('fetch GET', await (await fetch(url + '/hello')).text(), 'hello\n');
    same('fetch HEAD', (await fetch(url + '/hello', { method: 'HEAD' })).headers.get('content-length'), '6');
    const events = await fetch(url + '/events');
    const { value } = await events.body.getReader().read();
    same('an event', Buffer.from(value).toString().slice(0, 3), 'id:');
  }
  console.log(`ok ${checks} checks`);
  process.exit(0);
}

function server() {
  const serving = http.createServer((request, response) => {
    if (request.url === '/old') {
      response.writeHead(307, { location: '/hello' });
      return response.end();
    }
    if (request.url === '/large') return response.end(LARGE);
    if (request.method === 'POST') return request.pipe(response);
    response.write('hel'); // in chunks
    return response.end('lo\n');
  });
  serving.listen(0, '127.0.0.1', () => console.log(`listening on ${serving.address().port}`));
}

if (process.argv[2] === 'client') {
  client(process.argv[3], process.argv[4]).catch((why) => {
    console.log(`failed: ${why.stack}`);
    process.exit(1);
  });
} else {
  server();
}
