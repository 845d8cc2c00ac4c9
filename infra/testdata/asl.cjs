// Checks a state machine and evaluates JSONata with the reference
// implementations. Standard input: {"definition": {…}, "evaluations":
// [{"template": …, "states": …}]}. Standard output: {"errors": ["…"],
// "results": [{"value": …} or {"error": "…"}]}.
const validate = require("asl-validator");
const jsonata = require("jsonata");

// As Step Functions does: a text that is {% … %} is an expression, all other
// values are taken as they stand.
async function evaluate(template, states) {
  if (typeof template === "string" && template.startsWith("{%")) {
    const value = await jsonata(template.slice(2, -2)).evaluate({}, { states });
    if (value === undefined) throw new Error(`no value: ${template}`);
    return value;
  }
  if (Array.isArray(template)) return Promise.all(template.map((t) => evaluate(t, states)));
  if (template === null || typeof template !== "object") return template;
  const entries = Object.entries(template).map(async ([key, t]) => [key, await evaluate(t, states)]);
  return Object.fromEntries(await Promise.all(entries));
}

async function main() {
  let input = "";
  for await (const chunk of process.stdin) input += chunk;
  const { definition, evaluations } = JSON.parse(input);
  const results = [];
  for (const { template, states } of evaluations ?? []) {
    try {
      results.push({ value: await evaluate(template, states) });
    } catch (e) {
      results.push({ error: e.message });
    }
  }
  const errors = validate(definition).errors.map((e) => `${e["Error code"]}: ${e.Message}`);
  process.stdout.write(JSON.stringify({ errors, results }));
}

main();
