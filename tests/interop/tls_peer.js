// Node at the other end of a TLS echo: the same command line as tls_peer.py.
const fs = require("fs"), path = require("path"), tls = require("tls"), crypto = require("crypto");
const [mode, ...rest] = process.argv.slice(2);
const to = mode === "call" ? rest.shift() : null;
const [dir, version, mutual] = rest;
const read = (name) => fs.readFileSync(path.join(dir, name));
const side = mode === "call" ? "client" : "server";
const options = { minVersion: "TLSv" + version, maxVersion: "TLSv" + version, ca: read("ca.pem") };
if (side === "server" || mutual) {
  options.cert = read(side + ".pem");
  options.key = read(side + ".key");
}
const fail = (why) => { console.log("failed: " + why); process.exit(1); };

if (mode === "serve") {
  Object.assign(options, { requestCert: !!mutual, rejectUnauthorized: !!mutual });
  const server = tls.createServer(options, (peer) => { peer.on("error", () => {}); peer.pipe(peer); });
  server.listen(0, "127.0.0.1", () => console.log("port " + server.address().port));
} else {
  const [host, port] = to.split(":");
  const data = crypto.randomBytes(300000);
  const back = [];
  let got = 0;
  const peer = tls.connect({ ...options, host, port, servername: "localhost" }, () => {
    if (!peer.authorized) fail(peer.authorizationError);
    peer.write(data);
  });
  peer.setTimeout(20000, () => fail("silence"));
  peer.on("error", (e) => fail(e.message));
  peer.on("data", (part) => {
    back.push(part);
    got += part.length;
    if (got < data.length) return;
    if (!Buffer.concat(back).equals(data)) fail("other bytes came back");
    console.log("ok: " + peer.getProtocol());
    peer.end();
  });
}
