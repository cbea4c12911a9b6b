// A small club app as somebody else would write it: express, socket.io, a login of its own, event names of its own.
// Arguments: port. POST /faults {"errors": 0.01} makes that share of the requests fail from then on.
import { createServer } from "node:http";
import { randomBytes } from "node:crypto";
import express from "express";
import { Server } from "socket.io";

const app = express();
const http = createServer(app);
const io = new Server(http);
const tokens = new Map();
const messages = [];
let errors = 0;

const operation = (summary, more = {}) => ({ summary, responses: { 200: { description: "fine" } }, ...more });
const text = (name) => ({ type: "object", required: [name], properties: { [name]: { type: "string", example: "court 5" } } });
const room = { name: "id", in: "path", required: true, schema: { type: "string" }, example: "r1" };
app.get("/openapi.json", (_, answer) => answer.json({
  openapi: "3.0.3",
  info: { title: "Clubs", version: "1" },
  paths: {
    "/rooms": { get: operation("list rooms") },
    "/rooms/{id}": { get: operation("read a room", { parameters: [room] }) },
    "/notes": { post: operation("write a note", { requestBody: { content: { "application/json": { schema: text("note") } } } }) },
    "/gone/{id}": { get: operation("was here once", { parameters: [room] }) },
  },
}));
app.use(express.json());
app.post("/faults", (question, answer) => { errors = question.body.errors; answer.json({ errors }); });
app.use((question, answer, next) => Math.random() < errors ? answer.status(500).json({ error: "boom" }) : next());

app.get("/", (_, answer) => answer.type("html").send(PAGE));
app.get("/home", (question, answer) => answer.redirect(`http://${question.headers.host}/rooms`));
app.get("/rooms", (_, answer) => answer.json({ rooms: [{ id: "r1", name: "court 1" }, { id: "r2", name: "court 2" }] }));
app.get("/rooms/:id", (question, answer) => answer.json({ id: question.params.id, name: "court" }));
app.post("/notes", (question, answer) => answer.json({ note: question.body.note }));
app.post("/login", (question, answer) => {
  if (question.body.password !== `pw-${question.body.name}`) return answer.status(401).json({ error: "no" });
  const token = randomBytes(12).toString("hex");
  tokens.set(token, question.body.name);
  answer.cookie("visit", token, { domain: question.hostname === "localhost" ? undefined : question.hostname });
  return answer.json({ token, member: { name: question.body.name } });
});
const member = (question) => tokens.get((question.headers.authorization ?? "").replace("Bearer ", ""));
app.get("/rooms/:id/messages", (question, answer) => member(question)
  ? answer.json({ messages: messages.filter((one) => one.room === question.params.id).slice(-20) })
  : answer.status(401).json({ error: "log in first" }));

io.use((socket, next) => {
  socket.data.name = tokens.get(socket.handshake.auth.token);
  next(socket.data.name ? undefined : new Error("log in first"));
});
io.on("connection", (socket) => {
  socket.on("enter", (id, answer) => { socket.join(id); answer?.({ entered: id }); });
  socket.on("say", (message, answer) => {
    const said = { ...message, from: socket.data.name, at: Date.now() };
    messages.push(said);
    socket.to(message.room).emit("said", said);
    answer?.({ ok: true });
  });
});

const PAGE = `<!doctype html><title>clubs</title><ul id=heard></ul><script src="/socket.io/socket.io.js"></script><script>
const name = new URLSearchParams(location.search).get("name") || "ann";
const post = (path, body) => fetch(path, {method: "POST", headers: {"content-type": "application/json"}, body: JSON.stringify(body)});
async function start() {
  const {token} = await (await post("/login", {name, password: "pw-" + name})).json();
  const {rooms} = await (await fetch("/rooms")).json();
  const room = rooms[0].id;
  await fetch("/rooms/" + room + "/messages", {headers: {authorization: "Bearer " + token}});
  const socket = io({auth: {token}});
  socket.on("said", (message) => { heard.innerHTML += "<li>" + message.text; });
  socket.on("connect", () => socket.emit("enter", room, () => { document.title = "entered"; }));
  window.say = (text) => socket.emit("say", {room, id: Math.random().toString(36).slice(2, 14), text}, () => { document.title = "said"; });
}
start();
</script>`;

http.listen(Number(process.argv[2]), "127.0.0.1");
