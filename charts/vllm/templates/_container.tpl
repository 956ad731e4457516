{{/* What the vLLM container is started with. Each takes the dict of vllm.podSpec: root and role. */}}
{{- define "vllm.args" -}}
{{- $values := .root.Values -}}
- {{ $values.weights.s3Uri | default $values.model.id | quote }}
- "--served-model-name"
- {{ $values.model.servedName | quote }}
{{- range $values.model.furtherNames }}
- {{ . | quote }}
{{- end }}
{{- if and $values.model.revision (not $values.weights.s3Uri) }}
- "--revision"
- {{ $values.model.revision | quote }}
{{- end }}
{{- if eq .role "leader" }}
- "--host"
- "0.0.0.0"
- "--port"
- {{ int $values.port | quote }}
# Keys from mounted files, so that two may be good at a time (files/vllm_eks_keys.py).
- "--middleware"
- "vllm_eks_keys.ApiKeys"
# /load, by which the probe sees requests that a hanging engine has not even counted (files/alive.py).
- "--enable-server-load-tracking"
{{- if semverCompare ">=0.21.0" $values.vllmVersion }}
# What comes in after the drain may end, and the probes' 20 lines a minute stay out of the log. Both flags are missing in
# vLLM 0.11.2 and there in 0.21.0; the versions between were not read.
- "--shutdown-timeout"
- "15"
- "--disable-access-log-for-endpoints"
- "/health,/load,/metrics,/ping"
{{- end }}
{{- end }}
{{- range $values.vllmArgs }}
- {{ . | quote }}
{{- end }}
{{- if gt (int $values.pipelineParallelSize) 1 }}
# vLLM's own multi-node start. LeaderWorkerSet sets the LWS_ variables.
- "--nnodes"
- "$(LWS_GROUP_SIZE)"
- "--node-rank"
- "$(LWS_WORKER_INDEX)"
- "--master-addr"
# The leader binds to this address, and its own name may not resolve yet when it starts.
- {{ ternary "$(POD_IP)" "$(LWS_LEADER_ADDRESS)" (eq .role "leader") | quote }}
- "--master-port"
- "29501"
{{- if eq .role "worker" }}
- "--headless"
{{- end }}
{{- end }}
{{- end -}}

{{- define "vllm.env" -}}
{{- $secrets := .root.Values.secrets -}}
- name: POD_IP
  valueFrom:
    fieldRef:
      fieldPath: status.podIP
- name: VLLM_HOST_IP
  value: "$(POD_IP)"
# In a pod the VPC CNI calls the interface eth0; guessing, NCCL may take another.
- name: NCCL_SOCKET_IFNAME
  value: eth0
- name: GLOO_SOCKET_IFNAME
  value: eth0
{{- if eq .role "leader" }}
- name: API_KEYS_FOLDER
  value: /secrets/api-key
- name: PYTHONPATH
  value: /middleware
{{- end }}
{{- with .root.Values.weights.region }}
# Whose S3 the weights are in; the pod's role brings the credentials.
- name: AWS_REGION
  value: {{ . | quote }}
- name: AWS_DEFAULT_REGION
  value: {{ . | quote }}
{{- end }}
{{- if $secrets.huggingFaceToken }}
- name: HF_TOKEN_PATH
  value: /secrets/hugging-face/token
{{- end }}
- name: HF_HOME
  value: /weights
# The root file system is read-only: whatever is written goes to a volume (docs/explanation/pod-filesystem.md). What is not named here
# goes below HOME or /tmp.
- name: HOME
  value: /home/vllm
- name: XDG_CACHE_HOME
  value: /home/vllm/.cache
- name: XDG_CONFIG_HOME
  value: /home/vllm/.config
- name: VLLM_CONFIG_ROOT
  value: /home/vllm/.config/vllm
- name: HF_MODULES_CACHE
  value: /home/vllm/.cache/huggingface/modules
- name: HF_XET_CHUNK_CACHE_SIZE_BYTES
  value: "0"
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
# What was compiled for this image, version and GPU. One folder a pod's name, so that no two pods write to one at a time, and
# within it one an image, so that no other vLLM finds it.
- name: CACHES_FOLDER
  value: {{ include "vllm.caches" .root | quote }}
- name: VLLM_CACHE_ROOT
  value: "$(CACHES_FOLDER)/vllm"
- name: TORCHINDUCTOR_CACHE_DIR
  value: "$(CACHES_FOLDER)/torchinductor"
- name: TRITON_CACHE_DIR
  value: "$(CACHES_FOLDER)/triton"
- name: FLASHINFER_WORKSPACE_BASE
  value: "$(CACHES_FOLDER)/flashinfer"
- name: CUDA_CACHE_PATH
  value: "$(CACHES_FOLDER)/cuda"
# User 1000 need not be in the image's /etc/passwd; Python's getpass.getuser asks these first.
- name: USER
  value: vllm
- name: LOGNAME
  value: vllm
# Usage reports would leave the cluster.
- name: VLLM_NO_USAGE_STATS
  value: "1"
{{- range $name, $value := .root.Values.env }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end -}}

{{/* On the node's own disk where there is one, so that a restart compiles nothing twice. */}}
{{- define "vllm.caches" -}}
{{- $key := printf "%s %s" .Values.image .Values.vllmVersion | sha256sum | trunc 12 -}}
{{- ternary "/weights/.compiled" "/home/vllm/.cache/compiled" (not (empty .Values.weights.nodePath)) -}}
/$(POD_NAME)/{{ $key }}
{{- end -}}

{{/*
The leader's. The supervisor (files/supervise.py) ends a start that takes longer than its budget, with the cause; the
startup probe is wider, because it also counts the time in which the group's other pods come.
*/}}
{{- define "vllm.leaderProbes" -}}
startupProbe:
  httpGet:
    path: /health
    port: http
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: {{ div (add (mul 2 (int .root.Values.startup.budgetSeconds)) 69) 10 }}
# A stuck engine gets no new requests long before it is restarted.
readinessProbe:
  exec:
    command: {{ include "vllm.alive" (dict "root" .root "stall" .root.Values.health.unreadySeconds "timeout" 5) }}
  periodSeconds: 10
  # Four requests of timeoutSeconds each.
  timeoutSeconds: 22
  failureThreshold: 3
# Patient: a restart costs the whole start-up of the group, and a busy API server may answer late.
livenessProbe:
  exec:
    command: {{ include "vllm.alive" (dict "root" .root "stall" .root.Values.health.stallSeconds "timeout" 15) }}
  periodSeconds: 15
  timeoutSeconds: 62
  failureThreshold: 8
{{- end -}}

{{/*
A worker serves no HTTP, and its supervisor sees to its life. It is ready when its leader answers: so the
PodDisruptionBudget counts a group that loads as disrupted, and does not give up another one meanwhile.
*/}}
{{- define "vllm.workerProbes" -}}
readinessProbe:
  exec:
    command: {{ list "python3" "-E" "-S" "/scripts/vllm_eks/pods/alive.py" "--host-from=LWS_LEADER_ADDRESS" (printf "--port=%d" (int .root.Values.port)) "--timeout-seconds=5" | toJson }}
  periodSeconds: 10
  timeoutSeconds: 12
  failureThreshold: 3
{{- end -}}

{{- define "vllm.alive" -}}
{{- $port := printf "--port=%d" (int .root.Values.port) -}}
{{- $model := printf "--model=%s" .root.Values.model.servedName -}}
{{- list "python3" "-E" "-S" "/scripts/vllm_eks/pods/alive.py" $port (printf "--stall-seconds=%d" (int .stall)) (printf "--timeout-seconds=%d" .timeout) $model | toJson -}}
{{- end -}}

{{/* All pods of a group stop at once, and the leader's requests need each of them: all wait for the leader's engine. */}}
{{- define "vllm.drain" -}}
{{- $where := ternary "--host=localhost" "--host-from=LWS_LEADER_ADDRESS" (eq .role "leader") -}}
{{- list "python3" "-E" "-S" "/scripts/vllm_eks/pods/drain.py" $where (printf "--port=%d" (int .root.Values.port)) | toJson -}}
{{- end -}}

{{/* What runs vLLM as PID 1: files/supervise.py says why. LeaderWorkerSet sets the LWS_ variables. */}}
{{- define "vllm.command" -}}
{{- $alone := eq (int .root.Values.pipelineParallelSize) 1 -}}
- "python3"
- "-E"
- "-S"
- "/scripts/vllm_eks/pods/supervise.py"
- {{ printf "--index=%s" (ternary "0" "$(LWS_WORKER_INDEX)" $alone) | quote }}
- {{ printf "--size=%s" (ternary "1" "$(LWS_GROUP_SIZE)" $alone) | quote }}
- {{ printf "--leader=%s" (ternary "localhost" "$(LWS_LEADER_ADDRESS)" $alone) | quote }}
- {{ printf "--port=%d" (int .root.Values.port) | quote }}
- {{ printf "--start-seconds=%d" (int .root.Values.startup.budgetSeconds) | quote }}
- "--"
- "vllm"
- "serve"
{{- end -}}
