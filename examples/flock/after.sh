#!/usr/bin/env bash
# One RAG service on this machine. Stop it with `styxy stop ai/rag`, read its log with `styxy logs ai/rag`.
set -euo pipefail
cd "$(dirname "$0")"
exec styxy run -d --type ai --id rag --ready http:/ --ready-timeout 30s -- python3 server.py
