// One conversation by any WebSocket that is made as browsers have it; gives what it saw. See plan.rs.
async function converse(WebSocket, url, { steps, end: [kind, code, reason] }) {
  const socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  const seen = [];
  let next = () => {};
  const see = (event) => { seen.push(event); next(); };
  const events = async () => { while (!seen.length) await new Promise((resolve) => { next = resolve; }); return seen.shift(); };
  const hex = (data) => Array.from(new Uint8Array(data), (byte) => byte.toString(16).padStart(2, "0")).join("");
  const bytes = (data) => Uint8Array.from(data.match(/../g) ?? [], (byte) => parseInt(byte, 16));
  socket.onopen = () => see(["open"]);
  socket.onmessage = ({ data }) => see(typeof data === "string" ? ["text", data] : ["binary", hex(data)]);
  socket.onclose = ({ code, reason, wasClean }) => see({ code, reason, clean: wasClean });
  // Only that of Node.js has these.
  socket.on?.("pong", (data) => see(["pong", data.toString()]));
  const act = {
    text: (data) => socket.send(data),
    binary: (data) => socket.send(bytes(data)),
    ping: (data) => socket.ping(data),
    fragments: (data) => data.forEach((part, i) => socket.send(part, { fin: i + 1 === data.length })),
  };
  const said = [await events()];
  for (const [kind, data] of steps) {
    act[kind](data);
    said.push(await events());
  }
  if (kind === "tell") socket.send(reason);
  else if (code === null) socket.close();
  else socket.close(code, reason);
  const last = await events();
  return { said: said.slice(1), ...(Array.isArray(last) ? { last } : last) };
}
