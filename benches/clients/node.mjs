// fetch of Node, and the SDK of npm. `node node.mjs PEER ROW URL COUNT`
import { pathToFileURL } from "node:url";

const [peer, row, url, text] = process.argv.slice(2);
const count = Number(text);
const paths = { get_health: "/global/health", get_session: "/session/ses_1", history: `/session/ses_${count}/message` };
const path = paths[row] ?? "/global/event";

const peers = {
  async fetch() {
    const get = async () => (await fetch(url + path)).json();
    const events = async (wanted) => {
      let got = 0;
      let rest = "";
      const answer = await fetch(url + path);
      for await (const chunk of answer.body.pipeThrough(new TextDecoderStream())) {
        const parts = (rest + chunk).split("\n\n");
        rest = parts.pop();
        for (const part of parts) if (JSON.parse(part.slice(6))) got++;
        if (got >= wanted) break;
      }
      return got;
    };
    return { get, events };
  },
  async sdk() {
    const main = `${process.env.BENCH_NODE_MODULES}/@opencode-ai/sdk/dist/index.js`;
    const { createOpencodeClient } = await import(pathToFileURL(main).href);
    const client = createOpencodeClient({ baseUrl: url, throwOnError: true });
    const operations = {
      get_health: () => client.global?.health ? client.global.health() : client._client.get({ url: path }),
      get_session: () => client.session.get({ path: { id: "ses_1" } }),
      history: () => client.session.messages({ path: { id: `ses_${count}` } }),
    };
    const get = async () => (await operations[row]()).data;
    const events = async (wanted) => {
      let got = 0;
      const { stream } = await client.event.subscribe();
      for await (const event of stream) if (event && ++got >= wanted) break;
      return got;
    };
    return { get, events };
  },
};

const { get, events } = await peers[peer]();
const rss = () => process.resourceUsage().maxRSS / 1024;
const say = (numbers) => console.log(JSON.stringify(numbers));
if (row === "events") {
  const before = performance.now();
  const got = await events(count);
  say({ per_s: got / ((performance.now() - before) / 1e3), got, lost: 0, rss_mb: rss() });
} else if (row === "history") {
  const before = performance.now();
  const answer = await get();
  const ms = performance.now() - before;
  if (!answer.length) throw new Error("the history is empty");
  say({ ms, rss_mb: rss() });
} else {
  for (let n = 0; n < count / 10 + 1; n++) await get();
  const times = [];
  const cpu = process.cpuUsage();
  for (let n = 0; n < count; n++) {
    const before = performance.now();
    if (!(await get())) throw new Error("no answer");
    times.push((performance.now() - before) * 1e3);
  }
  const used = process.cpuUsage(cpu);
  times.sort((a, b) => a - b);
  say({
    us: times[Math.floor(count / 2)],
    p99_us: times[count - 1 - Math.floor(count / 100)],
    cpu_us: (used.user + used.system) / count,
  });
}
process.exit(0);
