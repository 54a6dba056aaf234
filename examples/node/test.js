// Asks the server that runs, or that `npm test` has just started.
const http = require("node:http");

http.get({ host: "127.0.0.1", port: process.env.PORT }, (response) => {
  response.setEncoding("utf8");
  response.on("data", (text) => console.log(`the server answers: ${text.trim()}`));
  response.on("end", () => process.exit(response.statusCode === 200 ? 0 : 1));
});
