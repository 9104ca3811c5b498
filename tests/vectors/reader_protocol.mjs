// Lists, records, the chain and sealed batches, written from docs/reader-protocol.md alone.
import { createHash } from "node:crypto";
import { ORDER_OF_REASONS, es256, judgeFully, p256, soundEd25519 } from "./ride_code.mjs";

export const tag = (name) => Buffer.from(`TransitPay/${name}/v1\0`, "ascii");
export const sha256 = (...parts) => createHash("sha256").update(Buffer.concat(parts)).digest();
const zero = (b, from, to) => b.subarray(from, to).every((byte) => byte === 0);
const KINDS = { 1: ["trust", 88, 2], 2: ["deny", 14, 10], 3: ["config", 128, 32] };
const HEAD = 278;

export function idField(text, length) {
  const field = Buffer.alloc(length);
  field.write(text, "ascii");
  return field;
}

/** The id of an id field, or null where it is none. */
function idOf(b) {
  const id = b.toString("latin1").replace(/\0+$/, "");
  return /^[!-~]+$/.test(id) ? id : null;
}

function signedBy(key, signature, ...message) {
  const loaded = p256(key);
  return loaded !== null && es256(loaded, signature, Buffer.concat(message));
}

// --- lists -----------------------------------------------------------------------------------

function readHead(b) {
  if (b.length < HEAD || b.toString("latin1", 0, 4) !== "TPL1") return null;
  const c = b.subarray(96, 214);
  const head = {
    bytes: b.subarray(0, HEAD), kind: b[4], recordSize: b.readUInt16BE(6),
    keySize: b.readUInt16BE(8), version: b.readBigUInt64BE(12), issuedAt: b.readUInt32BE(20),
    useBy: b.readUInt32BE(24), count: b.readUInt32BE(28), scope: b.subarray(32, 64),
    digest: b.subarray(64, 96), root: c[4], kinds: c[5], listKeyId: c.readUInt16BE(6),
    listKey: c.subarray(8, 41), notBefore: c.readUInt32BE(42), notAfter: c.readUInt32BE(46),
  };
  const [, recordSize, keySize] = KINDS[head.kind] ?? [];
  const good =
    head.recordSize === recordSize && head.keySize === keySize && b[5] === 0 &&
    zero(b, 10, 12) && head.version > 0n && head.useBy > head.issuedAt &&
    c.toString("latin1", 0, 4) === "TPC1" && c[41] === 0 && zero(c, 50, 54);
  return good ? head : null;
}

/** The pieces of `b` from `at`, each of `size` bytes, if their keys rise strictly; else null. */
function sortedPieces(b, at, size, keyAt, keySize) {
  const pieces = [];
  for (let i = at; i < b.length; i += size) pieces.push(b.subarray(i, i + size));
  const key = (p) => p.subarray(keyAt, keyAt + keySize);
  const rising = pieces.every((p, i) => i === 0 || Buffer.compare(key(pieces[i - 1]), key(p)) < 0);
  return rising ? pieces : null;
}

export function readWhole(b) {
  const head = readHead(b);
  if (head === null || b.length !== HEAD + head.count * head.recordSize) return null;
  const records = sortedPieces(b, HEAD, head.recordSize, 0, head.keySize);
  return records && { head, records };
}

function readDelta(b) {
  if (b.length < 24 + HEAD || !zero(b, 4, 8) || !zero(b, 20, 24)) return null;
  const head = readHead(b.subarray(24));
  const size = head && 1 + head.recordSize;
  if (head === null || b.length !== 24 + HEAD + b.readUInt32BE(16) * size) return null;
  const changes = sortedPieces(b, 24 + HEAD, size, 1, head.keySize);
  const wellFormed = (c) => c[0] === 1 || (c[0] === 2 && zero(c, 1 + head.keySize, c.length));
  if (changes === null || !changes.every(wellFormed)) return null;
  return { head, changes, base: b.readBigUInt64BE(8) };
}

function applied(records, changes, keySize) {
  const table = new Map(records.map((r) => [r.toString("hex", 0, keySize), r]));
  for (const change of changes) {
    const key = change.toString("hex", 1, 1 + keySize);
    if (change[0] === 1) table.set(key, change.subarray(1));
    else table.delete(key);
  }
  return [...table.keys()].sort().map((key) => table.get(key));
}

const above = (a, b) =>
  a.listKeyId !== b.listKeyId ? a.listKeyId > b.listKeyId : a.version > b.version;

export function takeList(b, kind, scope, held, roots, now, u) {
  const refused = (reason) => ({ answer: "refused", reason });
  const isDelta = b.toString("latin1", 0, 4) === "TPD1";
  const it = isDelta ? readDelta(b) : readWhole(b);
  if (it === null) return refused("list_unreadable");
  const h = it.head;
  const asked = scope === "" ? Buffer.alloc(32) : idField(scope, 32);
  if (h.kind !== kind || !h.scope.equals(asked)) return refused("list_wrong_scope");
  const certificate = h.bytes.subarray(96, 214);
  const root = roots[h.root];
  const certified =
    root !== undefined && ((h.kinds >> h.kind) & 1) === 1 &&
    signedBy(root, certificate.subarray(54), tag("list-key"), certificate.subarray(0, 54));
  if (!certified) return refused("list_bad_certificate");
  const alive =
    h.notBefore <= h.issuedAt && h.issuedAt < h.notAfter &&
    h.notBefore <= now + u && now - u < h.notAfter;
  if (!alive) return refused("list_certificate_expired");
  if (!signedBy(h.listKey, h.bytes.subarray(214), tag("list"), h.bytes.subarray(0, 96)))
    return refused("list_bad_signature");
  if (held !== null && !above(h, held.head))
    return h.bytes.equals(held.head.bytes) ? { answer: "unchanged" } : refused("list_rolled_back");
  if (isDelta && held?.head.version !== it.base) return refused("list_wrong_base");
  const records = isDelta ? applied(held.records, it.changes, h.keySize) : it.records;
  const whole = records.length === h.count && sha256(...records).equals(h.digest);
  if (!whole) return refused("list_bad_digest");
  const read = { 1: trustRecord, 2: denyRecord, 3: configRecord }[h.kind];
  return {
    answer: "taken", list_key_id: h.listKeyId, version: h.version, stale: now >= h.useBy,
    records: records.map(read).filter((record) => record !== null),
  };
}

const ALGORITHMS = { 1: "ES256", 2: "Ed25519", 3: "SM2" };
const STATUSES = { 1: "active", 2: "retired", 3: "compromised" };

/** A key as a trust list tells it, or null where it is as if it were not there. */
function trustRecord(r) {
  const algorithm = ALGORITHMS[r[2]];
  const key = r.subarray(22, algorithm === "Ed25519" ? 54 : 55);
  const it = {
    key_id: r.readUInt16BE(0), algorithm, status: STATUSES[r[3]], test: r[4] === 1, modes: r[5],
    destinations: r.readUInt16BE(6), not_before: r.readUInt32BE(8), not_after: r.readUInt32BE(12),
    compromised_at: r.readUInt32BE(16) || null, issuer_number: r.readUInt16BE(20),
    public_key: key.toString("hex"), issuer: idOf(r.subarray(56)),
  };
  const good =
    algorithm && it.status && r[4] < 2 && zero(r, 22 + key.length, 56) && it.issuer !== null &&
    it.issuer_number > 0 && it.not_before < it.not_after &&
    (it.compromised_at === null || it.status === "compromised") &&
    isKey(algorithm, key, it.key_id);
  return good ? it : null;
}

function isKey(algorithm, key, keyId) {
  if (algorithm === "SM2") return keyId >= 65024 && isSm2Point(key);
  return algorithm === "Ed25519" ? soundEd25519(key) : p256(key) !== null;
}

/** Whether these 33 bytes are a compressed point of the SM2 curve y^2 = x^3 - 3x + b modulo p. */
function isSm2Point(key) {
  const p = 0xfffffffeffffffffffffffffffffffffffffffff00000000ffffffffffffffffn;
  const b = 0x28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93n;
  const x = BigInt("0x" + key.toString("hex", 1));
  if ((key[0] !== 2 && key[0] !== 3) || x >= p) return false;
  const square = (((x * x * x - 3n * x + b) % p) + p) % p;
  let [power, base] = [1n, square];
  for (let e = (p - 1n) / 2n; e > 0n; e >>= 1n, base = (base * base) % p)
    if (e & 1n) power = (power * base) % p;
  return power === 1n || (square === 0n && key[0] === 2);
}

const denyRecord = (r) => ({
  issuer_number: r.readUInt16BE(0), rider_id: r.toString("hex", 2, 10),
  serial: r.readUInt32BE(10),
});

function configRecord(r) {
  const [name, value] = [idOf(r.subarray(0, 32)), r.subarray(32)];
  const end = value.findLastIndex((byte) => byte !== 0) + 1;
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
      .decode(value.subarray(0, end));
    return name === null || text.includes("\0") ? null : { name, value: text };
  } catch {
    return null;
  }
}

// --- records ---------------------------------------------------------------------------------

export const REASONS = `unreadable unknown_version unknown_key test_key key_compromised key_not_yet_valid
  key_expired authorisation_not_yet_valid authorisation_expired code_stale code_from_future
  service_excluded wrong_destination destination_not_allowed mode_not_allowed
  companion_not_allowed bad_issuer_signature bad_device_signature denied quota_exceeded
  ceiling_too_low already_answered replay passback missing_entry clock_fault impossible_travel
  list_stale store_full`.split(/\s+/);
export const DIRECTIONS = ["entry", "exit", "board", "alight", "single"];
const TIERS = ["reader", "gateway"];
export const DECISIONS = ["accepted", "refused", "already_answered"];
const MODES = ["normal", "open", "emergency", "local"];
const OUTCOMES = ["passed", "not_passed", "timed_out", "forced_open"];
const EVENTS = `store_nearly_full store_full unrecorded_scans clock_fault_begins clock_fault_ends
  local_open_begins local_open_ends list_refused store_has_room`.split(/\s+/);
/** Reasons in the order in which they are checked and told. */
const inOrder = (reasons) => ORDER_OF_REASONS.filter((reason) => reasons.includes(reason));
const LAST_MS = 253402300799999n;

class Malformed extends Error {}

function must(condition) {
  if (!condition) throw new Malformed();
}

/** The n-th name of a table, the first being number `first`. */
function named(table, number, first = 1) {
  must(number >= first && number < first + table.length);
  return table[number - first];
}

function utf8(bytes) {
  must(bytes.every((byte) => byte > 31 && byte !== 127));
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Malformed();
  }
}

/** A number of 64 bits that stays below 2^63 and is no 0. */
function positive(value) {
  must(value > 0n && value < 2n ** 63n);
  return value;
}

class Cursor {
  constructor(bytes, at) {
    this.bytes = bytes;
    this.at = at;
  }
  take(length) {
    must(this.at + length <= this.bytes.length);
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }
  u8 = () => this.take(1)[0];
  u16 = () => this.take(2).readUInt16BE();
  u32 = () => this.take(4).readUInt32BE();
  u64 = () => this.take(8).readBigUInt64BE();
  text() {
    const length = this.u8();
    must(length <= 64);
    return utf8(this.take(length));
  }
}

function scan(c) {
  const it = {
    type: "scan", sequence: positive(c.u64()), direction: named(DIRECTIONS, c.u8()),
    decided_by: named(TIERS, c.u8()), decision: named(DECISIONS, c.u8()),
  };
  const reason = c.u8();
  it.reason = reason === 0 ? null : named(REASONS, reason);
  must((it.reason === null) === (it.decision === "accepted"));
  const flags = c.u32();
  must((flags & 1) === 0 && flags < 2 ** (REASONS.length + 1));
  it.flags = inOrder(REASONS.filter((_, i) => (flags >>> (i + 1)) & 1));
  it.mode = named(MODES, c.u8(), 0);
  const [stopIndex, trust, deny, config, fare] = [c.u8(), c.u32(), c.u32(), c.u32(), c.u32()];
  it.stop_index = stopIndex === 255 ? null : stopIndex;
  Object.assign(it, { trust_version: trust, deny_version: deny, config_version: config });
  it.stage_fare_minor = fare === 0xffffffff ? null : fare;
  for (const name of ["stop", "route", "variant", "vehicle", "trip"]) it[name] = c.text() || null;
  const length = c.u16();
  must(length <= 2048);
  it.code = c.take(length).toString("hex");
  return it;
}

const outcome = (c) => ({
  type: "outcome", sequence: positive(c.u64()), outcome: named(OUTCOMES, c.u8()),
});

function boot(c) {
  const [number, clean] = [c.u32(), c.u8()];
  must(clean <= 1 && number > 0 && number < 2 ** 31);
  return { type: "boot", boot: number, clean: clean === 1, software: c.text() };
}

const event = (c) => ({ type: "event", event: named(EVENTS, c.u8()), count: c.u32() });

/** One record that fills `b` exactly; throws Malformed. */
function readRecord(b) {
  must(b.length >= 22 && b[1] === 0 && b.readUInt16BE(2) === b.length);
  const head = {
    position: positive(b.readBigUInt64BE(4)), at_ms: b.readBigUInt64BE(12),
    uncertainty_s: b.readUInt16BE(20),
  };
  must(head.at_ms <= LAST_MS);
  const c = new Cursor(b, 22);
  const it = { ...named([scan, outcome, boot, event], b[0])(c), ...head };
  must(c.at === b.length);
  return it;
}

export function chain(reader, publicKey, records) {
  let hash = sha256(tag("record"), idField(reader, 32), publicKey);
  return [hash, ...records.map((r) => (hash = sha256(tag("record"), hash, r)))];
}

function openBatch(b, reader, keys) {
  const refused = (reason) => ({ answer: "refused", reason });
  if (b.length <= 192 || b.length > 2 ** 20 || b.toString("latin1", 0, 4) !== "TPB1")
    return refused("batch_unreadable");
  const [keyNumber, count, length] = [b.readUInt16BE(4), b.readUInt16BE(6), b.readUInt32BE(28)];
  const [first, sealedAt] = [b.readBigUInt64BE(8), b.readBigUInt64BE(16)];
  const good =
    keyNumber > 0 && sealedAt <= LAST_MS && zero(b, 26, 28) && b.length === 192 + length &&
    idOf(b.subarray(32, 64)) !== null;
  if (good && count > 500) return refused("too_many_records");
  const inRange = good && count > 0 && first > 0n && first <= 2n ** 63n - 500n;
  const records = inRange ? cut(b.subarray(192), count, first) : null;
  if (records === null || !records.every(isRecord)) return refused("batch_unreadable");
  if (idOf(b.subarray(32, 64)) !== reader) return refused("batch_of_other_reader");
  const key = keys[keyNumber];
  if (key === undefined) return refused("unknown_reader_key");
  const u = b.readUInt16BE(24);
  const retired = key.retired_at_ms !== null && sealedAt - BigInt(1000 * u) > key.retired_at_ms;
  if (retired) return refused("reader_key_retired");
  if (!signedBy(hex(key.public_key), b.subarray(128, 192), tag("batch"), b.subarray(0, 128)))
    return refused("bad_batch_signature");
  let hash = b.subarray(64, 96);
  for (const record of records) hash = sha256(tag("record"), hash, record);
  if (!hash.equals(b.subarray(96, 128))) return refused("broken_batch_chain");
  return {
    answer: "opened", key_number: keyNumber, first_position: first, count, sealed_at_ms: sealedAt,
    uncertainty_s: u,
  };
}

/** The records one after the other, at consecutive positions; null where they are not that. */
function cut(b, count, first) {
  const records = [];
  for (let at = 0; at < b.length; ) {
    if (at + 22 > b.length) return null;
    const length = b.readUInt16BE(at + 2);
    const position = b.readBigUInt64BE(at + 4);
    if (length < 22 || at + length > b.length || position !== first + BigInt(records.length))
      return null;
    records.push(b.subarray(at, at + length));
    at += length;
  }
  return records.length === count ? records : null;
}

function isRecord(b) {
  try {
    return Boolean(readRecord(b));
  } catch (error) {
    if (error instanceof Malformed) return false;
    throw error;
  }
}

// --- a reader that decides alone ---------------------------------------------------------------

const EXITS = ["exit", "alight"];
const replayKey = ({ deviceKey, notBefore, serial, counter }) =>
  [deviceKey.toString("hex"), notBefore, serial, counter].join();

export class LoneReader {
  constructor(trust, deny, config) {
    const { records: keys } = believed(trust, trustRecord);
    const numbers = Object.fromEntries(keys.map((key) => [key.issuer_number, key.issuer]));
    const denied = deny === null ? [] : believed(deny, denyRecord).records;
    this.trust = { keys };
    this.deny = { entries: denied.map((d) => ({ ...d, issuer: numbers[d.issuer_number] })) };
    this.useBy = deny === null ? 0 : Math.min(trust.head.useBy, deny.head.useBy);
    const told = believed(config, configRecord).records.map(({ name, value }) => [name, value]);
    this.config = Object.fromEntries(told);
    this.spent = new Set();
    this.entered = new Map();
    this.scans = [];
    this.restart();
  }

  restart() {
    this.answered = new Map();
  }

  number(name, otherwise) {
    return Number(this.config[name] ?? otherwise);
  }

  rules() {
    const fares = ["HKD", "CNY"].filter((unit) => this.config[`highest_fare.${unit}`]);
    return {
      destination: this.number("destination"), mode: this.number("mode"),
      direction: this.config.direction, service_excluded: this.number("service_excluded", 0) === 1,
      test_keys_allowed: this.number("test_keys_allowed", 0) === 1,
      highest_fares: fares.map((unit) => ({
        currency: unit, minor: this.number(`highest_fare.${unit}`),
      })),
      max_age_s: this.number("max_age_s", 60), max_future_s: this.number("max_future_s", 20),
      overstay_s: this.number("overstay_s", 12600),
    };
  }

  scan(code, atMs, clockMs, u) {
    const decided = this.decide(code.toString("latin1"), atMs, clockMs, u);
    const accepted = decided.decision === "accepted";
    const opens = accepted && !this.gatesStandOpen();
    this.scans.push(accepted ? decided : null);
    if (accepted) {
      this.spent.add(decided.key);
      this.answered.set(decided.key, clockMs);
      if (!EXITS.includes(this.config.direction)) this.entered.set(decided.rider, decided);
    }
    return { decision: decided.decision, reason: decided.reason, flags: decided.flags, opens };
  }

  decide(text, atMs, clockMs, u) {
    const refused = (reason) => ({ decision: "refused", reason, flags: [] });
    const rules = this.rules();
    const now = Math.floor(atMs / 1000);
    const found = judgeFully(text, this.trust, this.deny, rules, now, u);
    if (found.verdict === "rejected") return refused(found.reason);
    const { code, issuer, flags } = found;
    const entry = !EXITS.includes(rules.direction);
    const key = replayKey(code);
    const rider = [issuer, code.riderId, code.slot].join();
    if (clockMs - this.answered.get(key) <= this.number("debounce_ms", 2000))
      return { decision: "already_answered", reason: "already_answered", flags: [] };
    if (now >= this.useBy) {
      if (entry && this.staleCloses(code.currency, rules)) return refused("list_stale");
      flags.push("list_stale");
    }
    if (this.spent.has(key)) return refused("replay");
    const last = this.entered.get(rider);
    const near = last && Math.abs(atMs - last.atMs) < 1000 * this.number("passback_s", 300);
    if (entry && near && !this.gatesStandOpen()) return refused("passback");
    if (entry && u > 300 && this.config.clock_fault === "close") return refused("clock_fault");
    return { decision: "accepted", reason: null, flags: inOrder(flags), key, rider, atMs };
  }

  gatesStandOpen() {
    return (this.config.gates ?? "normal") !== "normal";
  }

  staleCloses(unit, rules) {
    if (this.config.stale_lists === "close") return true;
    const fare = rules.highest_fares.find((f) => f.currency === unit);
    return !fare || fare.minor > this.number(`stale_ceiling.${unit}`, 2000);
  }

  outcome(of, number) {
    const scan = this.scans[of];
    const stayedOut = number === 2 || number === 3;
    if (stayedOut && scan && this.entered.get(scan.rider) === scan) this.entered.delete(scan.rider);
  }
}

/** The records of a list that count. */
function believed(list, read) {
  return { records: list.records.map(read).filter((record) => record !== null) };
}

// --- the vectors -----------------------------------------------------------------------------

const hex = (text) => Buffer.from(text, "hex");

function recordAnswer(v) {
  const b = hex(v.hex);
  return isRecord(b)
    ? { answer: "read", ...readRecord(b) }
    : { answer: "refused", reason: "bad_record" };
}

function chainAnswer(v) {
  const hashes = chain(v.reader, hex(v.public_key), v.records.map(hex));
  return { answer: "hashes", hashes: hashes.map((hash) => hash.toString("hex")) };
}

function listAnswer(v, file) {
  const roots = { 1: hex(file.roots[1]), 2: hex(file.roots[2]) };
  const held = v.held === null ? null : readWhole(hex(v.held));
  return takeList(hex(v.hex), v.asked_kind, v.asked_scope, held, roots, v.now, v.uncertainty_s);
}

function batchAnswer(v, file) {
  return openBatch(hex(v.hex), v.reader, file.readers[v.reader] ?? {});
}

function scansAnswer(v) {
  const [trust, deny, config] = [v.trust, v.deny, v.config].map((text) =>
    text === null ? null : readWhole(hex(text)),
  );
  const reader = new LoneReader(trust, deny, config);
  const decisions = [];
  for (const e of v.events) {
    if (e.restart) reader.restart();
    else if (e.outcome) reader.outcome(e.of, e.outcome);
    else decisions.push(reader.scan(hex(e.scan), e.at_ms, e.clock_ms, e.uncertainty_s));
  }
  return { answer: "decided", decisions };
}

const ANSWERS = {
  list: listAnswer, record: recordAnswer, chain: chainAnswer, batch: batchAnswer,
  scans: scansAnswer,
};

/** The answer to one vector of a reader-protocol file. */
export const answer = (v, file) => ANSWERS[v.kind](v, file);
