#!/usr/bin/env bash
# One RAG service on this machine, the usual way: a lock, a pid file, a fixed port, a health check.
#
# What it does not do: hold the lock as long as the server lives (so the pid file may name a stranger),
# notice that somebody else has the port, stop what the server started, or leave another port free to choose.
set -euo pipefail
cd "$(dirname "$0")"
port=${RAG_PORT:-11400}
mkdir -p run

exec 9>run/rag.lock
flock --wait 30 9 || { echo 'another start hangs' >&2; exit 1; }

if [ -e run/rag.pid ] && kill -0 "$(cat run/rag.pid)" 2>/dev/null; then
    echo "already runs on port $port (pid $(cat run/rag.pid))"
    exit 0
fi

# Without `9>&-` the server would keep the lock, and the next start would hang.
PORT=$port nohup python3 server.py >run/rag.log 2>&1 9>&- &
echo $! >run/rag.pid
for _ in $(seq 300); do
    if python3 -c "import urllib.request as u; u.urlopen('http://127.0.0.1:$port')" 2>/dev/null; then
        echo "started on port $port (pid $(cat run/rag.pid))"
        exit 0
    fi
    sleep 0.1
done
echo "not ready after 30 s; its log is $PWD/run/rag.log" >&2
kill "$(cat run/rag.pid)"
exit 1
