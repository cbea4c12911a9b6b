// The app on which tests/bring/files/tab1.har and tab2.har were recorded with Playwright: a login that sets a cookie, and a chat.
// Arguments: port, and what it does otherwise than in the recording: shape, status, silent.
import { createServer } from "node:http";
import { randomBytes } from "node:crypto";
import express from "express";
import { Server } from "socket.io";

const [port, fault] = [Number(process.argv[2]), process.argv[3]];
const app = express();
const http = createServer(app);
const io = new Server(http);
const sessions = new Map();
const member = (headers) => sessions.get(/sid=(\w+)/.exec(headers.cookie ?? "")?.[1]);
const known = (question, answer, next) => member(question.headers) ? next() : answer.status(401).json({ e: "login" });

app.use(express.json());
app.get("/health", (_, answer) => answer.status(fault === "status" ? 503 : 200).json({ ok: 1 }));
app.post("/login", (question, answer) => {
  const id = Number(/^alice(\d+)@x\.io$/.exec(question.body.email)?.[1]);
  if (question.body.password !== `pw-${id}`) return answer.status(401).json({ e: "no" });
  const sid = randomBytes(8).toString("hex");
  sessions.set(sid, { id });
  return answer.cookie("sid", sid).json({ id, csrf: `c${id}` });
});
app.get("/api/rooms", known, (question, answer) =>
  answer.json({ page: Number(question.query.page), q: question.query.q, items: ["r1", "r2", "r3"].map((id) => ({ id })) }));
app.get("/api/rooms/:id/messages", known, (_, answer) => answer.json({ items: [] }));

io.use((socket, next) => {
  socket.data.member = member(socket.request.headers);
  next(socket.data.member ? undefined : new Error("unauthorized"));
});
io.on("connection", (socket) => {
  socket.on("enter", (room, answer) => { socket.join(room); answer?.({ status: "in", room }); });
  socket.on("say", (message, answer) => {
    const said = { ...message, from: fault === "shape" ? "somebody" : socket.data.member.id };
    if (fault !== "silent") socket.to(message.room).emit("said", said);
    answer?.({ ok: true });
  });
});
http.listen(port, "127.0.0.1");
