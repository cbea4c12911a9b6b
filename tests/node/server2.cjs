// A server of Socket.IO 2, which clients of version 3 and later cannot talk to. Argument: port.
const io = require("socket.io2")(Number(process.argv[2]), { pingInterval: 25000, pingTimeout: 5000 });
io.on("connection", (socket) => socket.on("echo", (...given) => given.pop()(...given)));
