// A second implementation, written from docs/ride-code.md and docs/reader-protocol.md alone, to
// prove that the pages are enough. Node 18 or later, no dependencies. Prints one JSON object:
// vector name -> answer.
//
//   node tests/vectors/second_verifier.mjs [vectors.json] > answers.json
//   transitpay vectors check --answers answers.json
import { readFileSync } from "node:fs";
import { answer } from "./reader_protocol.mjs";
import { judge } from "./ride_code.mjs";

const shipped = new URL("../../transitpay/ride_code/vectors/ride-code-v1.json", import.meta.url);
const file = JSON.parse(readFileSync(process.argv[2] ?? shipped, "utf8"));

function judged(v) {
  const [trust, deny] = [file.trust_lists[v.trust_list], file.deny_lists[v.deny_list]];
  return judge(v.text, trust, deny, file.readers[v.reader], v.at, v.uncertainty_s);
}

const one = file.format.startsWith("transitpay-ride-code-") ? judged : (v) => answer(v, file);
const answers = Object.fromEntries(file.vectors.map((v) => [v.name, one(v)]));
// Numbers of 64 bits are written in full, as JSON allows and JSON.stringify alone does not.
const inFull = (_, value) => (typeof value === "bigint" ? `<${value}>` : value);
console.log(JSON.stringify(answers, inFull, 1).replace(/"<(\d+)>"/g, "$1"));
