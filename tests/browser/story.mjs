// Runs named steps in their order over one deployment, and counts them.

import assert from 'node:assert/strict';

// `begin` gives the context of the steps; its `end()` resolves to {status, said} of the programs. With `stopEarly`
// a failed step ends the story, since those after it stand on it.
export async function runStory(story, begin, { stopEarly = false, explain = () => '' } = {}) {
  const tally = { passed: 0, failed: 0 };
  const step = async (name, run) => {
    const began = performance.now();
    try {
      await run();
      tally.passed += 1;
      console.log(`ok      ${name}  (${Math.round(performance.now() - began)} ms)`);
      return true;
    } catch (error) {
      tally.failed += 1;
      console.log(`FAILED  ${name}\n${error.stack}`);
      return false;
    }
  };
  try {
    const context = await begin();
    try {
      for (const [name, run] of story) {
        const good = await step(name, () => run(context));
        if (!good) console.log(explain(context));
        if (!good && stopEarly) break;
      }
    } finally {
      const { status, said } = await context.end();
      await step('everything stopped well', () => assert.equal(status, 0, said));
    }
  } catch (error) {
    tally.failed += 1;
    console.log(error.stack);
  }
  console.log(`${tally.passed} passed, ${tally.failed} failed`);
  process.exit(tally.failed === 0 ? 0 : 1);
}
