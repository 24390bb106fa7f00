// Spawns, watches, talks to and terminates processes with what reflection tells, and nothing else.
//
//   node client_test.js ADDRESS [CA CERT KEY]
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";

import grpc from "@grpc/grpc-js";

import { discover } from "./reflection.js";

const DEADLINE_MS = 60_000;

const [address, ca, cert, key] = process.argv.slice(2);
const credentials = ca
  ? grpc.credentials.createSsl(readFileSync(ca), readFileSync(key), readFileSync(cert))
  : grpc.credentials.createInsecure();
const deadline = () => ({ deadline: Date.now() + DEADLINE_MS });

function uuidV7() {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(Date.now(), 0, 6);
  bytes[6] = (bytes[6] & 0x0f) | 0x70;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = bytes.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

// A unary call as a promise.
const call = (client, method, request) =>
  new Promise((resolve, reject) => {
    client[method](request, deadline(), (error, response) => (error ? reject(error) : resolve(response)));
  });

const { services, api } = await discover(address, credentials);
for (const name of ["ProcessService", "SessionService", "HostService"]) {
  assert.ok(services.includes("shoal.v1." + name), services.join(" "));
}

const processes = new api.shoal.v1.ProcessService(address, credentials);
const states = [];
const watch = processes.Watch({}, deadline());
const synced = new Promise((resolve) => watch.on("data", (event) => event.synced && resolve()));
const ended = new Promise((resolve, reject) => {
  watch.on("error", (error) => error.code !== grpc.status.CANCELLED && reject(error));
  watch.on("data", (event) => {
    if (!event.upsert) return;
    states.push(event.upsert.state);
    if (event.upsert.tree_empty) resolve(event.upsert);
  });
});
await synced;

const request = {
  request_id: uuidV7(),
  spec: {
    argv: ["/bin/sh", "-c", "echo from $SHOAL_NAME; exec sleep 1000"].map((word) => Buffer.from(word)),
    name: "generic",
    lifetime: "LIFETIME_DETACHED",
  },
};
const spawned = await call(processes, "Spawn", request);
assert.equal(spawned.process.name, "generic");
assert.equal(spawned.process.state, "STATE_RUNNING");
assert.ok(spawned.process.pid > 0);
assert.equal((await call(processes, "Spawn", request)).process.id, spawned.process.id);

await assert.rejects(
  call(processes, "Spawn", { ...request, request_id: uuidV7() }),
  (error) => error.code === grpc.status.ALREADY_EXISTS && error.details.includes("is held"),
);

const output = [];
const read = processes.ReadOutput(
  { selector: { terms: ["generic"] }, streams: ["STREAM_KIND_STDOUT"], follow: true },
  deadline(),
);
const printed = new Promise((resolve, reject) => {
  read.on("error", reject);
  read.on("end", resolve);
  read.on("data", (frame) => {
    if (!frame.data) return;
    output.push(frame.data);
    // It runs and has spoken: time to end it.
    if (frame.data.includes("from")) terminate().then(resolve, reject);
  });
});

async function terminate() {
  const terminated = await call(processes, "Terminate", {
    request_id: uuidV7(),
    selector: { terms: ["generic"] },
  });
  assert.equal(terminated.results.length, 1);
  assert.equal(terminated.results[0].process.exit.signal, 15);
  assert.equal(terminated.results[0].process.tree_empty, true);
}
await printed;
assert.equal(Buffer.concat(output).toString(), "from generic\n");

const last = await ended;
assert.equal(last.id, spawned.process.id);
assert.equal(last.exit.cause, "CAUSE_TERMINATED");
assert.ok(states.includes("STATE_RUNNING") && states.includes("STATE_EXITED"), states.join(" "));
watch.cancel();

const spawn = (spec) =>
  call(processes, "Spawn", { request_id: uuidV7(), spec: { lifetime: "LIFETIME_DETACHED", ...spec } });
// What a process prints to its stdout, until its end.
const stdoutOf = (name) =>
  new Promise((resolve, reject) => {
    const pieces = [];
    processes
      .ReadOutput({ selector: { terms: [name] }, streams: ["STREAM_KIND_STDOUT"], follow: true }, deadline())
      .on("error", reject)
      .on("data", (frame) => frame.data && pieces.push(frame.data))
      .on("end", () => resolve(Buffer.concat(pieces).toString()));
  });
const words = (...argv) => argv.map((word) => Buffer.from(word));

// Input by unary calls; what is sent twice is there once.
await spawn({ argv: words("/bin/cat"), name: "cat", input: { stream: {} } });
const copied = stdoutOf("cat");
const first = { selector: "cat", offset: 0, data: Buffer.from("one\n"), writer: "js" };
await call(processes, "WriteInput", first);
assert.equal((await call(processes, "WriteInput", first)).position.kept_offset, 4);
await call(processes, "WriteInput", { selector: "cat", offset: 4, data: Buffer.from("two\n"), end: true, writer: "js" });
assert.equal(await copied, "one\ntwo\n");

// The same by a stream.
await spawn({ argv: words("/usr/bin/wc", "-c"), name: "wc", input: { stream: {} } });
const counted = stdoutOf("wc");
const piece = Buffer.alloc(100_000, "x");
const feed = processes.StreamInput(deadline());
const kept = new Promise((resolve, reject) => {
  feed.on("error", reject);
  feed.on("data", (answer) => answer.position.ended && resolve(answer.position.kept_offset));
});
for (let at = 0; at < 1_000_000; at += piece.length) {
  feed.write({ selector: "wc", writer: "js", offset: at, data: piece, end: at + piece.length === 1_000_000 });
}
feed.end();
assert.equal(await kept, 1_000_000);
assert.equal((await counted).trim(), "1000000");

// A terminal.
const terminal = { rows: 30, columns: 100, term: "vt100" };
await spawn({ argv: words("/bin/sh", "-c", "stty size; read line; stty size; echo $TERM $line"), name: "sh", terminal });
const screen = stdoutOf("sh");
await call(processes, "ResizeTerminal", { selector: "sh", size: { rows: 40, columns: 120, serial: 1 } });
await call(processes, "WriteInput", { selector: "sh", offset: 0, data: Buffer.from("hello\n"), writer: "js" });
const shown = (await screen).split("\r\n");
assert.deepEqual(shown.slice(-3), ["40 120", "vt100 hello", ""], shown.join("|"));

console.log(services.length + " services found by reflection; " + states.join(", "));
processes.close();
