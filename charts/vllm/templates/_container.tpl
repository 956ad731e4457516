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
- name: VLLM_EKS_KEYS_FOLDER
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
{{- range $name, $value := .root.Values.env }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
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
# A stuck engine gets no new requests long before it is restarted.
readinessProbe:
  exec:
    command: {{ include "vllm.alive" (dict "root" .root "stall" .root.Values.health.unreadySeconds "timeout" 5) }}
  periodSeconds: 10
  timeoutSeconds: 12
  failureThreshold: 3
# Patient: a restart costs the whole start-up of the group, and a busy API server may answer late.
livenessProbe:
  exec:
    command: {{ include "vllm.alive" (dict "root" .root "stall" .root.Values.health.stallSeconds "timeout" 15) }}
  periodSeconds: 15
  timeoutSeconds: 32
  failureThreshold: 8
{{- end -}}

{{- define "vllm.alive" -}}
{{- $url := printf "--url=http://localhost:%d" (int .root.Values.port) -}}
{{- list "python3" "-E" "-S" "/scripts/alive.py" $url (printf "--stall-seconds=%d" (int .stall)) (printf "--timeout-seconds=%d" .timeout) "--memory=/tmp/vllm-eks-engine.json" | toJson -}}
{{- end -}}

{{/* All pods of a group stop at once, and the leader's requests need each of them: all wait for the leader's engine. */}}
{{- define "vllm.drain" -}}
{{- $where := ternary "--host=localhost" "--host-from=LWS_LEADER_ADDRESS" (eq .role "leader") -}}
{{- list "python3" "-E" "-S" "/scripts/drain.py" $where (printf "--port=%d" (int .root.Values.port)) | toJson -}}
{{- end -}}

{{/* Nobody starts vLLM before every pod of the group can. */}}
{{- define "vllm.meeting" -}}
- name: meet
  image: {{ .root.Values.image | quote }}
  imagePullPolicy: IfNotPresent
  command: ["python3", "-E", "-S", "-u", "/scripts/meet.py"]
  args:
    - "--index=$(LWS_WORKER_INDEX)"
    - "--size=$(LWS_GROUP_SIZE)"
    - "--leader=$(LWS_LEADER_ADDRESS)"
    - "--port=29500"
  resources:
    requests:
      cpu: 10m
      memory: 64Mi
    limits:
      memory: 128Mi
  securityContext:
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities:
      drop: ["ALL"]
  volumeMounts:
    - name: scripts
      mountPath: /scripts
      readOnly: true
{{- end -}}
