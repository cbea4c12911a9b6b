// A service with the default metrics of prom-client, and its usual histogram of answers. Arguments: port, prefix of the metrics, milliseconds of work a request.
import { createServer } from "node:http";
import client from "prom-client";

const [port, prefix, work] = [Number(process.argv[2]), process.argv[3] ?? "", Number(process.argv[4] ?? 0)];
client.collectDefaultMetrics({ prefix });
const answers = new client.Histogram({
  name: "http_request_duration_seconds", help: "Time to answer.", labelNames: ["status_code"], buckets: [0.005, 0.05, 0.5],
});

createServer(async (request, response) => {
  if (request.url === "/metrics") return response.end(await client.register.metrics());
  if (request.url === "/status") return response.end("fine");
  if (request.url === "/work") {
    const answered = answers.startTimer();
    for (const end = Date.now() + work; Date.now() < end; );
    answered({ status_code: 200 });
    return response.end("done");
  }
  response.writeHead(404).end();
}).listen(port, "127.0.0.1");
