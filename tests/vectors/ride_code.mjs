// Ride codes, written from docs/ride-code.md alone, to prove that the page is enough. Node 18 or
// later, no dependencies. second_verifier.mjs is the command.
import { ECDH, createPublicKey, verify } from "node:crypto";

const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";
const N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const L = 2n ** 252n + 27742317777372353535851937790883648493n;
const ISSUER_TAG = Buffer.from("TransitPay/ride-code/issuer/v1\0", "ascii");
const DEVICE_TAG = Buffer.from("TransitPay/ride-code/device/v1\0", "ascii");
const CURRENCIES = { 1: "HKD", 2: "CNY" };
export const ORDER_OF_REASONS = `unreadable unknown_version unknown_key test_key key_compromised
  key_not_yet_valid key_expired authorisation_not_yet_valid authorisation_expired code_stale
  code_from_future service_excluded wrong_destination destination_not_allowed mode_not_allowed
  companion_not_allowed bad_issuer_signature bad_device_signature denied quota_exceeded
  ceiling_too_low list_stale store_full already_answered replay passback impossible_travel
  missing_entry clock_fault`.split(/\s+/);
const EXIT_FLAGS = new Set([
  "service_excluded", "wrong_destination", "destination_not_allowed", "mode_not_allowed",
  "companion_not_allowed", "denied", "quota_exceeded", "ceiling_too_low",
]);

function readText(text) {
  if (text.length !== 304 || !text.startsWith("TP1:")) return null;
  const out = Buffer.alloc(200);
  for (let i = 0; i < 100; i++) {
    const [c, d, e] = [0, 1, 2].map((k) => ALPHABET.indexOf(text[4 + 3 * i + k]));
    const value = c + 45 * d + 2025 * e;
    if (c < 0 || d < 0 || e < 0 || value > 65535) return null;
    out.writeUInt16BE(value, 2 * i);
  }
  return out;
}

function parse(b) {
  const code = {
    keyId: b.readUInt16BE(1), riderId: b.toString("hex", 3, 11), serial: b.readUInt32BE(11),
    deviceKey: b.subarray(15, 48), notBefore: b.readUInt32BE(48), life: b[52], codeLife: b[53],
    ceiling: b.readUInt16BE(54), currency: CURRENCIES[b[56]], destinations: b.readUInt16BE(57),
    modes: b[59], companions: (b[60] >> 2) & 3, quota: b.readUInt16BE(61),
    generatedAt: b.readUInt32BE(129), counter: b.readUInt16BE(133),
    destination: b[135] >> 4, slot: (b[135] >> 2) & 3,
  };
  const good =
    code.life >= 1 && code.life <= 168 && code.codeLife >= 1 && code.codeLife <= 120 &&
    code.currency && code.companions < 3 && (b[60] & 3) === 0 && b.readUInt16BE(63) === 0 &&
    code.counter >= 1 && code.slot < 3 && (b[135] & 3) === 0 && (b[15] === 2 || b[15] === 3);
  return good ? code : null;
}

export function p256(compressed) {
  try {
    const point = ECDH.convertKey(compressed, "prime256v1", undefined, undefined, "uncompressed");
    const [x, y] = [point.subarray(1, 33), point.subarray(33)].map((v) => v.toString("base64url"));
    return createPublicKey({ format: "jwk", key: { kty: "EC", crv: "P-256", x, y } });
  } catch {
    return null;
  }
}

export function es256(key, signature, message) {
  const r = BigInt("0x" + signature.toString("hex", 0, 32));
  const s = BigInt("0x" + signature.toString("hex", 32));
  if (r <= 0n || r >= N || s <= 0n || s > (N - 1n) / 2n) return false;
  return verify("sha256", message, { key, dsaEncoding: "ieee-p1363" }, signature);
}

function ed25519(raw, signature, message) {
  const s = BigInt("0x" + Buffer.from(signature.subarray(32)).reverse().toString("hex"));
  if (s >= L) return false;
  const jwk = { kty: "OKP", crv: "Ed25519", x: raw.toString("base64url") };
  return verify(null, message, createPublicKey({ format: "jwk", key: jwk }), signature);
}

const P = 2n ** 255n - 19n;

function power(base, exponent) {
  let result = 1n;
  for (; exponent > 0n; exponent >>= 1n, base = (base * base) % P)
    if (exponent & 1n) result = (result * base) % P;
  return result;
}

/** A point of the curve in its only spelling, not of small order (its double's double's double). */
export function soundEd25519(raw) {
  const y = BigInt("0x" + Buffer.from(raw).reverse().toString("hex")) % 2n ** 255n;
  const d = ((P - 121665n) * power(121666n, P - 2n)) % P;
  const y2 = (y * y) % P;
  const x2 = ((y2 - 1n + P) * power((d * y2 + 1n) % P, P - 2n)) % P;
  const onCurve = x2 === 0n || power(x2, (P - 1n) / 2n) === 1n;
  // x = 0: order 1 or 2; y = 0: order 4; x^2 = -y^2, so that the double has y = 0: order 8.
  return y < P && onCurve && x2 !== 0n && y !== 0n && (x2 + y2) % P !== 0n;
}

function issuerSigned(record, b) {
  const message = Buffer.concat([ISSUER_TAG, b.subarray(0, 65)]);
  const raw = Buffer.from(record.public_key, "hex");
  const signature = b.subarray(65, 129);
  if (record.algorithm === "Ed25519") return ed25519(raw, signature, message);
  return es256(p256(raw), signature, message);
}

function deviceSigned(code, b) {
  const key = p256(code.deviceKey);
  const message = Buffer.concat([DEVICE_TAG, b.subarray(0, 136)]);
  return key !== null && es256(key, b.subarray(136), message);
}

/** An instant of a list: seconds already, or as JSON lists write it. */
const seconds = (at) => (typeof at === "number" ? at : Date.parse(at) / 1000);

function* reasons(b, code, key, deny, reader, at, u) {
  const end = code.notBefore + 3600 * code.life;
  const over = reader.overstay_s;
  const doubt = Math.min(u, 300);
  const age = at - code.generatedAt;
  const bit = (bits, n) => Math.floor(bits / 2 ** n) % 2 === 1;
  if (key.test && !reader.test_keys_allowed) yield ["test_key"];
  if (key.status === "compromised")
    yield ["key_compromised", Boolean(key.compromised_at) && at < seconds(key.compromised_at) + over];
  if (at < seconds(key.not_before)) yield ["key_not_yet_valid"];
  if (at >= seconds(key.not_after)) yield ["key_expired", at < seconds(key.not_after) + over];
  if (code.generatedAt < code.notBefore) yield ["authorisation_not_yet_valid"];
  if (code.generatedAt >= end) yield ["authorisation_expired", code.generatedAt < end + over];
  if (age > Math.min(reader.max_age_s, 5 * code.codeLife) + doubt) yield ["code_stale"];
  if (-age > reader.max_future_s + doubt) yield ["code_from_future"];
  if (reader.service_excluded) yield ["service_excluded"];
  if (code.destination !== reader.destination) yield ["wrong_destination"];
  if (!bit(code.destinations, reader.destination) || !bit(key.destinations, reader.destination))
    yield ["destination_not_allowed"];
  if (!bit(code.modes, reader.mode) || !bit(key.modes, reader.mode)) yield ["mode_not_allowed"];
  if (code.slot > code.companions) yield ["companion_not_allowed"];
  if (!issuerSigned(key, b)) yield ["bad_issuer_signature"];
  if (!deviceSigned(code, b)) yield ["bad_device_signature"];
  const denied = (d) =>
    d.issuer === key.issuer && d.rider_id === code.riderId && code.serial <= d.serial;
  if (deny.entries.some(denied)) yield ["denied"];
  if (code.counter > code.quota) yield ["quota_exceeded"];
  const fare = reader.highest_fares.find((f) => f.currency === code.currency);
  if (fare && fare.minor > 100 * code.ceiling) yield ["ceiling_too_low"];
}

/** The verdict on a text, and for an accepted one its code and issuer. */
export function judgeFully(text, trust, deny, reader, at, u) {
  const rejected = (reason) => ({ verdict: "rejected", reason, flags: [] });
  const b = readText(text);
  if (b === null) return rejected("unreadable");
  if (b[0] !== 1) return rejected("unknown_version");
  const code = parse(b);
  if (code === null) return rejected("unreadable");
  const key = trust.keys.find((k) => k.key_id === code.keyId);
  if (!key || key.algorithm === "SM2") return rejected("unknown_key");
  const flags = [];
  for (const [reason, opens] of reasons(b, code, key, deny, reader, at, u)) {
    const exit = reader.direction === "exit" || reader.direction === "alight";
    if (!exit || !(opens ?? EXIT_FLAGS.has(reason))) return rejected(reason);
    flags.push(reason);
  }
  if (u > 300) flags.push("clock_fault");
  return { verdict: "accepted", reason: null, flags, code, issuer: key.issuer };
}

export function judge(...given) {
  const { verdict, reason, flags } = judgeFully(...given);
  return { verdict, reason, flags };
}
