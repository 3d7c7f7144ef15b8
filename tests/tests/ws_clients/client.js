// Holds conversations by `ws`; prints what it saw of each as JSON. Arguments: converse.js, the URL, and a file with the conversations.
const { readFileSync } = require("fs");
const WebSocket = require("ws");
const [script, url, plan] = process.argv.slice(2);
const converse = new Function(`${readFileSync(script)}; return converse;`)();
(async () => {
  const seen = [];
  for (const one of JSON.parse(readFileSync(plan))) seen.push(await converse(WebSocket, url, one));
  process.stdout.write(JSON.stringify(seen));
})();
