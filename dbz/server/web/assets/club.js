// The club page: signs in with a demo user (?user=user0001 for another), shows games and posts, follows scores, and chats.
"use strict";

// One whom small loads have no virtual user for: rate limits are of a user, wherever it is signed in.
const user = new URLSearchParams(location.search).get("user") || "user0198";
const $ = id => document.getElementById(id);
let token = "", me = null;

async function api(path, options = {}) {
  const headers = { ...(token && { Authorization: `Bearer ${token}` }), ...(options.body && { "Content-Type": "application/json" }) };
  const answer = await fetch(path, { ...options, headers });
  if (!answer.ok) throw new Error(`${path} was answered with ${answer.status}`);
  return answer.json();
}

async function signIn() {
  token = "";
  const body = JSON.stringify({ username: user, password: "demo" });
  token = (await api("/api/auth/login", { method: "POST", body })).access_token;
}

function say(text) {
  $("trouble").textContent = text;
  $("trouble").hidden = !text;
}

// An element with a class, texts and further elements; whatever the server sends stays text.
function make(tag, className, ...parts) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...parts);
  return element;
}

const counted = (count, what) => `${count} ${what}${count === 1 ? "" : "s"}`;
const scoreText = score => `${score?.home ?? 0}:${score?.away ?? 0}`;

function gameRow(game) {
  const score = make("span", "score", scoreText(game.score));
  score.id = `score-${game.id}`;
  const names = game.participants.map(one => one.name).join(", ");
  const place = `${game.location ?? ""}, ${game.participant_count} of ${game.max_participants} players`;
  return make("li", "", make("h3", "", game.title), score, make("p", "soft", `${place}: ${names}`));
}

function postRow(post) {
  const picture = make("img");
  Object.assign(picture, { alt: "", width: 48, height: 48, loading: "lazy", src: `${post.author?.profile_image}?w=96&q=85` });
  const about = [...(post.pinned ? ["pinned"] : []), post.author?.name ?? "a former member",
    counted(post.like_count, "like"), counted(post.comment_count, "comment")];
  return make("li", "", picture, make("h3", "", post.title), make("p", "soft", about.join(" · ")),
    make("p", "text", post.content));
}

function show(list, rows) {
  list.replaceChildren(...(rows.length ? rows : [make("li", "soft", "Nothing here yet.")]));
  list.setAttribute("aria-busy", "false");
}

async function load() {
  const [posts, games] = await Promise.all([api("/api/posts?limit=10"), api("/api/games?status=ongoing&limit=6")]);
  show($("post-list"), posts.items.map(postRow));
  show($("games"), games.items.map(gameRow));
  return games.items;
}

// As much of Socket.IO 5 over Engine.IO 4 as this page needs: events, acknowledgements, answers to pings.
function connect(events, closed) {
  const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/socket.io/?EIO=4&transport=websocket`);
  const waiting = new Map();
  let number = 0;
  const emit = (event, data) => new Promise(resolve => {
    waiting.set(++number, resolve);
    socket.send(`42${number}${JSON.stringify([event, data])}`);
  });
  socket.onmessage = ({ data }) => {
    const kind = data.slice(0, 2);
    if (data[0] === "0") socket.send(`40${JSON.stringify({ token })}`);
    else if (data[0] === "2") socket.send("3");
    else if (kind === "40") events.connect(emit);
    else if (kind === "44") socket.close();
    else if (kind === "42") {
      const [event, body] = JSON.parse(data.slice(2));
      events[event]?.(body);
    } else if (kind === "43") {
      const [, id, body] = /^43(\d+)(.*)$/s.exec(data);
      waiting.get(Number(id))?.(JSON.parse(body)[0]);
      waiting.delete(Number(id));
    }
  };
  socket.onclose = closed;
}

let emit = null, last = "", tries = 0, games = [];

function chatLine(message) {
  if (message.id) last = message.id;
  const log = $("chat"), atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  log.append(make("li", "", make("b", "", message.senderId === me.id ? "You" : message.senderId), message.content));
  while (log.children.length > 100) log.firstChild.remove();
  if (atEnd) log.scrollTop = log.scrollHeight;
}

const events = {
  async connect(send) {
    emit = send;
    tries = 0;
    // A user may join ten games in ten seconds, over all of its pages.
    for (const game of games.slice(0, 2)) emit("game:join", { gameId: game.id });
    const joined = await emit("room:join", { roomId: `room:${me.club_id}`, ...(last && { since: last }) });
    $("chat-state").textContent = joined.ok ? "Connected." : `The room is closed: ${joined.error}.`;
    (joined.missed ?? []).forEach(chatLine);
  },
  "message:batch": ({ messages }) => messages.forEach(chatLine),
  "message:error": ({ error }) => { $("chat-state").textContent = error ?? "The message was refused."; },
  "message:rate_limited": ({ error }) => { $("chat-state").textContent = error ?? "Too many messages."; },
  "game:score_updated": ({ gameId, score }) => {
    const shown = $(`score-${gameId}`);
    if (shown) { shown.textContent = scoreText(score); shown.classList.add("changed"); }
  },
};

function reconnect() {
  emit = null;
  $("chat-state").textContent = "Not connected; trying again …";
  const wait = Math.min(30000, 1000 * 2 ** tries++) * (0.5 + Math.random());
  setTimeout(() => signIn().then(() => connect(events, reconnect), reconnect), wait);
}

$("refresh").onclick = async () => {
  $("refresh").disabled = true;
  await load().then(() => say(""), error => say(`${error.message}.`));
  $("refresh").disabled = false;
};

$("say").onsubmit = async submitted => {
  submitted.preventDefault();
  const content = $("text").value.trim();
  if (!content || !emit) return;
  $("text").value = "";
  const sent = await emit("message:send", { roomId: `room:${me.club_id}`, tempId: String(Date.now()), content });
  $("chat-state").textContent = sent.ok ? "Sent." : sent.error;
};

async function start() {
  await signIn();
  const first = load();
  me = await api("/api/me");
  const club = await api(`/api/clubs/${encodeURIComponent(me.club_id)}`);
  document.title = club.name;
  $("club").textContent = club.name;
  $("member").textContent = `${me.name}, one of ${club.member_count} members`;
  $("cover").src = `/media/${encodeURIComponent(club.id)}?w=1024&q=85`;
  games = await first;
  connect(events, reconnect);
}

start().catch(error => {
  $("member").textContent = "Not signed in.";
  say(`The club could not be loaded: ${error.message}.`);
});
