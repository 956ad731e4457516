{{/* Arguments and environment of the vLLM container. Each template takes the dict of vllm.podSpec: root and role. */}}
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
# Reads the API keys from mounted files, counts by client, and logs each request with its client (files/vllm_eks_keys.py).
- "--middleware"
- "vllm_eks_keys.ApiKeys"
- "--disable-uvicorn-access-log"
# Adds /load, which shows the probe requests that a hung engine has not yet counted (files/alive.py).
- "--enable-server-load-tracking"
{{- if semverCompare ">=0.21.0" $values.vllmVersion }}
# Lets requests that arrive after the drain finish, and keeps the probes' 20 lines a minute out of an access log that vllmArgs
# turn on again. vLLM 0.11.2 lacks both flags and 0.21.0 has them. The versions in between were not checked.
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
# The leader binds to this address. Its own name may not resolve yet when it starts.
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
# The VPC CNI names a pod's interface eth0. Without this, NCCL may choose another interface.
- name: NCCL_SOCKET_IFNAME
  value: eth0
- name: GLOO_SOCKET_IFNAME
  value: eth0
{{- if eq .role "leader" }}
- name: API_KEYS_FOLDER
  value: /secrets/api-key
- name: PYTHONPATH
  value: /middleware
# Longer than the load balancer's idle timeout of 900 s (components/endpoint/limits.py). vLLM's default of 5 s would close
# connections on which the load balancer is just sending a request, and clients would get an error 502.
- name: VLLM_HTTP_TIMEOUT_KEEP_ALIVE
  value: "960"
{{- end }}
{{- with .root.Values.weights.region }}
# The region of the bucket with the weights. The credentials come from the pod's role.
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
# The root filesystem is read-only, so all writes go to a volume (docs/explanation/pod-filesystem.md). Folders without a variable
# here are below HOME or /tmp.
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
# Kernels compiled for this image, version and GPU. Each pod name has its own folder, so that two pods never write to the same
# one. Inside it, each image has its own folder, so that another vLLM version never uses it.
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
# User 1000 may be missing from the image's /etc/passwd. Python's getpass.getuser reads these variables first.
- name: USER
  value: vllm
- name: LOGNAME
  value: vllm
# Do not send usage reports.
- name: VLLM_NO_USAGE_STATS
  value: "1"
{{- range $name, $value := .root.Values.env }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end -}}

{{/* On the node's own disk if the weights are there too, so that a restart does not compile again. */}}
{{- define "vllm.caches" -}}
{{- $key := printf "%s %s" .Values.image .Values.vllmVersion | sha256sum | trunc 12 -}}
{{- ternary "/weights/.compiled" "/home/vllm/.cache/compiled" (not (empty .Values.weights.nodePath)) -}}
/$(POD_NAME)/{{ $key }}
{{- end -}}

{{/*
Probes of the leader. The supervisor (files/supervise.py) stops a start that exceeds its budget and logs the cause. The
startup probe allows more time, because it also counts the wait for the group's other pods.
*/}}
{{- define "vllm.leaderProbes" -}}
startupProbe:
  httpGet:
    path: /health
    port: http
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: {{ div (add (mul 2 (int .root.Values.startup.budgetSeconds)) 69) 10 }}
# Stops new requests to a stuck engine, long before the restart.
readinessProbe:
  exec:
    command: {{ include "vllm.alive" (dict "root" .root "stall" .root.Values.health.unreadySeconds "timeout" 5) }}
  periodSeconds: 10
  # Four requests of timeoutSeconds each.
  timeoutSeconds: 22
  failureThreshold: 3
# Slow to fail, because a restart repeats the whole start of the group, and a busy API server may answer late.
livenessProbe:
  exec:
    command: {{ include "vllm.alive" (dict "root" .root "stall" .root.Values.health.stallSeconds "timeout" 15) }}
  periodSeconds: 15
  timeoutSeconds: 62
  failureThreshold: 8
{{- end -}}

{{/*
Probe of a worker. A worker serves no HTTP, and its supervisor handles failures. It is ready when its leader answers, so
the PodDisruptionBudget counts a loading group as disrupted and does not evict another one meanwhile.
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

{{/* All pods of a group stop at once, but the leader's requests need every pod, so each waits until they are done. */}}
{{- define "vllm.drain" -}}
{{- $where := ternary "--host=localhost" "--host-from=LWS_LEADER_ADDRESS" (eq .role "leader") -}}
{{- $drain := list "python3" "-E" "-S" "/scripts/vllm_eks/pods/drain.py" $where (printf "--port=%d" (int .root.Values.port)) -}}
{{- if eq .role "worker" -}}
{{- $drain = append $drain (printf "--metrics-port=%d" (int .root.Values.metricsPort)) -}}
{{- end -}}
{{- toJson $drain -}}
{{- end -}}

{{/* Runs vLLM under a supervisor (files/supervise.py explains why). LeaderWorkerSet sets the LWS_ variables. */}}
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
{{- if eq .role "leader" }}
- {{ printf "--metrics-port=%d" (int .root.Values.metricsPort) | quote }}
{{- end }}
- {{ printf "--start-seconds=%d" (int .root.Values.startup.budgetSeconds) | quote }}
- "--"
- "vllm"
- "serve"
{{- end -}}
