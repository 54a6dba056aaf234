// A server that takes its port from PORT, as most do.
const http = require("node:http");

const server = http.createServer((_, response) => response.end(`pid ${process.pid}\n`));
server.listen(process.env.PORT, "127.0.0.1", () => console.log(`listening on ${process.env.PORT}`));
process.on("SIGTERM", () => process.exit(0));
