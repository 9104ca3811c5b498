// A whole reader, written from docs/reader-protocol.md and docs/ride-code.md alone: it enrols a
// key, fetches the signed lists, decides scans by itself, writes them down, seals and uploads.
// Node 18 or later, no dependencies. Takes one JSON object on standard input, prints another:
//
//   {"url", "token", "reader", "roots": {"1": hex, "2": hex},
//    "scans": [{"code": hex, "at_ms", "clock_ms", "uncertainty_s"}]}
import { generateKeyPairSync, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import {
  DECISIONS, DIRECTIONS, LoneReader, REASONS, chain, idField, readWhole, tag, takeList,
} from "./reader_protocol.mjs";

const N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const task = JSON.parse(readFileSync(0, "utf8"));
const hex = (text) => Buffer.from(text, "hex");

// --- the key ---------------------------------------------------------------------------------

const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
const { x, y } = publicKey.export({ format: "jwk" });
const [px, py] = [x, y].map((part) => Buffer.from(part, "base64url"));
const point = Buffer.concat([Buffer.from([2 + (py[31] & 1)]), px]);

/** An ES256 signature, r || s, with the low s. */
function signed(name, ...parts) {
  const message = Buffer.concat([tag(name), ...parts]);
  const raw = sign("sha256", message, { key: privateKey, dsaEncoding: "ieee-p1363" });
  const s = BigInt("0x" + raw.toString("hex", 32));
  const low = s > N / 2n ? N - s : s;
  return Buffer.concat([raw.subarray(0, 32), hex(low.toString(16).padStart(64, "0"))]);
}

// --- bytes -----------------------------------------------------------------------------------

function number(bytes, value) {
  return hex(BigInt(value).toString(16).padStart(2 * bytes, "0"));
}

const text = (value) => Buffer.concat([number(1, Buffer.byteLength(value)), Buffer.from(value)]);

function record(type, position, atMs, u, ...parts) {
  const body = Buffer.concat(parts);
  const length = number(2, 22 + body.length);
  return Buffer.concat([
    number(1, type), number(1, 0), length, number(8, position), number(8, atMs), number(2, u), body,
  ]);
}

function scanRecord(position, sequence, it, decided, held) {
  const number_ = (name) => REASONS.indexOf(name) + 1;
  const flags = decided.flags.reduce((bits, flag) => bits + 2 ** number_(flag), 0);
  const low32 = (list) => number(4, list.head.version % 2n ** 32n);
  return record(
    1, position, it.at_ms, it.uncertainty_s, number(8, sequence),
    number(1, DIRECTIONS.indexOf(held.settings.direction) + 1), number(1, 1),
    number(1, DECISIONS.indexOf(decided.decision) + 1),
    number(1, decided.reason === null ? 0 : number_(decided.reason)), number(4, flags),
    number(1, 0), number(1, 255), low32(held.trust), low32(held.deny), low32(held.config),
    number(4, 0xffffffff), text(held.settings.stop), text(""), text(""), text(""), text(""),
    number(2, hex(it.code).length), hex(it.code),
  );
}

function sealed(keyNumber, first, records, hashes, sealedAt) {
  const all = Buffer.concat(records);
  const head = Buffer.concat([
    Buffer.from("TPB1"), number(2, keyNumber), number(2, records.length), number(8, first),
    number(8, sealedAt), number(2, 0), number(2, 0), number(4, all.length),
    idField(task.reader, 32), hashes[0], hashes.at(-1),
  ]);
  return Buffer.concat([head, signed("batch", head), all]);
}

// --- the gateway -----------------------------------------------------------------------------

async function call(method, path, body) {
  const type = body instanceof Buffer ? "application/octet-stream" : "application/json";
  const answer = await fetch(task.url + path, {
    method, headers: { Authorization: `Bearer ${task.token}`, "Content-Type": type },
    body: body && (body instanceof Buffer ? body : JSON.stringify(body)),
  });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer;
}

const json = async (...given) => (await call(...given)).json();

async function list(kind, name, nowMs) {
  const bytes = Buffer.from(await (await call("GET", `/v1/lists/${name}`)).arrayBuffer());
  const scope = name === "config" ? task.reader : "";
  const roots = Object.fromEntries(Object.entries(task.roots).map(([n, key]) => [n, hex(key)]));
  const found = takeList(bytes, kind, scope, null, roots, Math.floor(nowMs / 1000), 0);
  if (found.answer !== "taken") throw new Error(`${name}: ${JSON.stringify(found)}`);
  return readWhole(bytes);
}

const enrolled = await json("POST", "/v1/readers/enrol", {
  public_key: point.toString("hex"),
  proof: signed("reader-key", idField(task.reader, 32), point).toString("hex"),
  software: "stranger 1",
});
const nowMs = Date.parse(enrolled.server_time);
const trust = await list(1, "trust", nowMs);
const deny = await list(2, "deny", nowMs);
const config = await list(3, "config", nowMs);
const reader = new LoneReader(trust, deny, config);
const held = { trust, deny, config, settings: reader.config };

const first = enrolled.first_position;
const startMs = task.scans[0].at_ms;
const records = [record(3, first, startMs, 0, number(4, 1), number(1, 1), text("stranger 1"))];
const decisions = [];
task.scans.forEach((it, i) => {
  const sequence = 2n ** 32n + BigInt(i + 1);
  const decided = reader.scan(hex(it.code), it.at_ms, it.clock_ms, it.uncertainty_s);
  decisions.push(decided);
  records.push(scanRecord(first + records.length, sequence, it, decided, held));
  const passed = [number(8, sequence), number(1, 1)];
  if (decided.opens)
    records.push(record(2, first + records.length, it.at_ms + 900, it.uncertainty_s, ...passed));
});
const hashes = chain(task.reader, point, records);
const middle = Math.floor(records.length / 2);
const batches = [
  sealed(enrolled.key_number, first + middle, records.slice(middle), hashes.slice(middle), nowMs),
  sealed(enrolled.key_number, first, records.slice(0, middle), hashes.slice(0, middle + 1), nowMs),
];
batches.push(batches[0]);
const answers = [];
for (const batch of batches) answers.push(await json("POST", "/v1/readers/records", batch));
const last = first + records.length - 1;
console.log(JSON.stringify({ decisions, answers, first, last }));
