{{/* What the vLLM container is started with. Each takes the dict of vllm.podSpec: root and role. */}}
{{- define "vllm.args" -}}
{{- $values := .root.Values -}}
- {{ $values.model.id | quote }}
- "--served-model-name"
- {{ $values.model.servedName | quote }}
{{- if $values.model.revision }}
- "--revision"
- {{ $values.model.revision | quote }}
{{- end }}
{{- if eq .role "leader" }}
- "--host"
- "0.0.0.0"
- "--port"
- {{ int $values.port | quote }}
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
- name: VLLM_API_KEY
  valueFrom:
    secretKeyRef:
      name: {{ $secrets.apiKey | quote }}
      key: apiKey
{{- end }}
{{- if $secrets.huggingFaceToken }}
- name: HF_TOKEN_PATH
  value: /secrets/hugging-face/token
{{- end }}
- name: HF_HOME
  value: /weights
# The root file system is read-only: every cache goes to a volume.
- name: HOME
  value: /home/vllm
- name: HF_XET_CHUNK_CACHE_SIZE_BYTES
  value: "0"
- name: XDG_CACHE_HOME
  value: /home/vllm/.cache
- name: XDG_CONFIG_HOME
  value: /home/vllm/.config
- name: VLLM_CACHE_ROOT
  value: /home/vllm/.cache/vllm
- name: VLLM_CONFIG_ROOT
  value: /home/vllm/.config/vllm
- name: TORCHINDUCTOR_CACHE_DIR
  value: /home/vllm/.cache/torchinductor
- name: TRITON_CACHE_DIR
  value: /home/vllm/.cache/triton
- name: FLASHINFER_WORKSPACE_BASE
  value: /home/vllm
- name: CUDA_CACHE_PATH
  value: /home/vllm/.cache/nv
# User 1000 need not be in the image's /etc/passwd; Python's getpass.getuser asks these first.
- name: USER
  value: vllm
- name: LOGNAME
  value: vllm
# Usage reports would leave the cluster.
- name: VLLM_NO_USAGE_STATS
  value: "1"
{{- end -}}

{{/* For the leader only: a worker serves no HTTP, so a probe there would restart the group for ever. */}}
{{- define "vllm.probes" -}}
startupProbe:
  httpGet:
    path: /health
    port: http
  periodSeconds: 10
  timeoutSeconds: 5
  # Rounded up; times the period it is the whole start-up budget.
  failureThreshold: {{ div (add (int .root.Values.startup.budgetSeconds) 9) 10 }}
readinessProbe:
  httpGet:
    path: /health
    port: http
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
# Patient: a restart costs the whole start-up of the group, and a busy API server may answer late.
livenessProbe:
  httpGet:
    path: /health
    port: http
  periodSeconds: 15
  timeoutSeconds: 15
  failureThreshold: 8
{{- end -}}
