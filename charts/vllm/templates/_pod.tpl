{{/*
Pod template of a leader or a worker. Takes a dict: root (the chart's context) and role ("leader" or "worker").
*/}}
{{- define "vllm.podTemplate" -}}
metadata:
  labels:
    app.kubernetes.io/name: vllm
    app.kubernetes.io/instance: {{ include "vllm.name" .root }}
    app.kubernetes.io/component: {{ .role }}
    vllm-eks/revision: {{ include "vllm.revision" .root | quote }}
spec:
  {{- include "vllm.podSpec" . | nindent 2 }}
{{- end -}}

{{- define "vllm.podSpec" -}}
{{- $values := .root.Values -}}
{{- if eq (int $values.port) (int $values.metricsPort) -}}
{{- fail (printf "metricsPort and port are both %d: use two ports" (int $values.port)) -}}
{{- end -}}
serviceAccountName: {{ include "vllm.name" .root }}
automountServiceAccountToken: false
enableServiceLinks: false
# The kubelet allows 150 s for a graceful node shutdown, 30 s of it for critical pods, and would cut a longer period short.
# The drain takes at most 80 s (drain.py), and stopping a real group took up to 29 s.
terminationGracePeriodSeconds: 120
securityContext:
  runAsNonRoot: true
  runAsUser: 1000
  runAsGroup: 1000
  fsGroup: 1000
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- include "vllm.scheduling" . | nindent 0 }}
containers:
  - name: vllm
    image: {{ $values.image | quote }}
    imagePullPolicy: IfNotPresent
    # Replaces the image's entrypoint.
    command:
      {{- include "vllm.command" . | nindent 6 }}
    # A crashed pod is deleted with its group, and its logs with it. So the supervisor writes the reason here. If the
    # supervisor itself was killed, Kubernetes uses the end of the log.
    terminationMessagePolicy: FallbackToLogsOnError
    args:
      {{- include "vllm.args" . | nindent 6 }}
    env:
      {{- include "vllm.env" . | nindent 6 }}
    {{- if eq .role "leader" }}
    ports:
      - name: http
        containerPort: {{ int $values.port }}
      - name: metrics
        containerPort: {{ int $values.metricsPort }}
    {{- include "vllm.leaderProbes" . | nindent 4 }}
    {{- else }}
    {{- include "vllm.workerProbes" . | nindent 4 }}
    {{- end }}
    lifecycle:
      preStop:
        exec:
          command: {{ include "vllm.drain" . }}
    resources:
      {{- include "vllm.resources" . | nindent 6 }}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities:
        drop: ["ALL"]
    volumeMounts:
      - name: shared-memory
        mountPath: /dev/shm
      - name: weights
        mountPath: /weights
      - name: home
        mountPath: /home/vllm
      - name: tmp
        mountPath: /tmp
      - name: scripts
        mountPath: /scripts/vllm_eks/pods
        readOnly: true
      {{- if eq .role "leader" }}
      - name: middleware
        mountPath: /middleware
        readOnly: true
      - name: api-key
        mountPath: /secrets/api-key
        readOnly: true
      {{- end }}
      {{- if $values.secrets.huggingFaceToken }}
      - name: hugging-face-token
        mountPath: /secrets/hugging-face
        readOnly: true
      {{- end }}
volumes:
  - name: shared-memory
    emptyDir:
      medium: Memory
      sizeLimit: {{ $values.sharedMemory | quote }}
  - name: weights
    {{- if $values.weights.nodePath }}
    # On the node's own disk, where it outlives the pod.
    persistentVolumeClaim:
      claimName: {{ include "vllm.weightsName" .root }}
    {{- else }}
    emptyDir:
      sizeLimit: {{ $values.weightsStorage | quote }}
    {{- end }}
  - name: scripts
    configMap:
      name: {{ include "vllm.scriptsName" .root }}
  - name: home
    emptyDir:
      sizeLimit: 10Gi
  - name: tmp
    emptyDir:
      sizeLimit: 5Gi
  {{- if eq .role "leader" }}
  - name: middleware
    configMap:
      name: {{ include "vllm.scriptsName" .root }}
      items:
        - key: vllm_eks_keys.py
          path: vllm_eks_keys.py
  # The keys of clients, and digests of the keys of named clients (files/client_keys.py).
  - name: api-key
    secret:
      secretName: {{ $values.secrets.apiKey | quote }}
      defaultMode: 0440
  {{- end }}
  {{- if $values.secrets.huggingFaceToken }}
  - name: hugging-face-token
    secret:
      secretName: {{ $values.secrets.huggingFaceToken | quote }}
      defaultMode: 0440
      items:
        - key: token
          path: token
  {{- end }}
{{- end -}}

{{- define "vllm.scheduling" -}}
{{- $zones := .root.Values.placement.zones -}}
{{- $pipelineParallelSize := int .root.Values.pipelineParallelSize -}}
nodeSelector:
  node.kubernetes.io/instance-type: {{ .root.Values.placement.instanceType | quote }}
tolerations:
  - key: nvidia.com/gpu
    operator: Exists
    effect: NoSchedule
  # The group of a lost node cannot serve. So evict its pods one minute, and not the default five, after the node lease has
  # expired (40 s). The supervisors wait equally long for each other (files/group.py), so that a short network failure does not
  # restart a model.
  - key: node.kubernetes.io/not-ready
    operator: Exists
    effect: NoExecute
    tolerationSeconds: 60
  - key: node.kubernetes.io/unreachable
    operator: Exists
    effect: NoExecute
    tolerationSeconds: 60
{{- if and (gt (len $zones) 1) (eq .role "leader") }}
# The plan has nodes for the same number of groups in each zone. minDomains counts zones without nodes as empty. Without it,
# leaders would fill the first zone and leave no room for their workers.
topologySpreadConstraints:
  - topologyKey: topology.kubernetes.io/zone
    maxSkew: 1
    minDomains: {{ len $zones }}
    whenUnsatisfiable: DoNotSchedule
    labelSelector:
      matchLabels:
        leaderworkerset.sigs.k8s.io/name: {{ include "vllm.name" .root | quote }}
        leaderworkerset.sigs.k8s.io/worker-index: "0"
{{- end }}
affinity:
  nodeAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      nodeSelectorTerms:
        - matchExpressions:
            - key: topology.kubernetes.io/zone
              operator: In
              values: {{ $zones | toJson }}
    # The model's own node group if it exists, otherwise any node of the type and zone.
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        preference:
          matchExpressions:
            - key: vllm-eks/model
              operator: In
              values: [{{ include "vllm.name" .root | quote }}]
  {{- if and (gt (len $zones) 1) (eq .role "worker") }}
  # In the same zone as the group's leader, and scheduled after it.
  podAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      - topologyKey: topology.kubernetes.io/zone
        labelSelector:
          matchLabels:
            leaderworkerset.sigs.k8s.io/name: {{ include "vllm.name" .root | quote }}
            leaderworkerset.sigs.k8s.io/worker-index: "0"
        matchLabelKeys: ["leaderworkerset.sigs.k8s.io/group-index"]
  {{- end }}
  {{- if gt $pipelineParallelSize 1 }}
  # One stage per node. Two stages on one node would share a network card and leave a planned node empty.
  podAntiAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      - topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels:
            leaderworkerset.sigs.k8s.io/name: {{ include "vllm.name" .root | quote }}
  {{- end }}
{{- end -}}

{{- define "vllm.resources" -}}
{{- $values := .root.Values -}}
requests:
  cpu: {{ $values.resources.cpu | quote }}
  memory: {{ $values.resources.memory | quote }}
  ephemeral-storage: {{ $values.resources.ephemeralStorage | quote }}
  {{- include "vllm.devices" . | nindent 2 }}
limits:
  memory: {{ $values.resources.memory | quote }}
  {{- include "vllm.devices" . | nindent 2 }}
{{- end -}}

{{- define "vllm.devices" -}}
nvidia.com/gpu: {{ int .root.Values.tensorParallelSize | quote }}
{{- if gt (int .root.Values.resources.efa) 0 }}
vpc.amazonaws.com/efa: {{ int .root.Values.resources.efa | quote }}
{{- end }}
{{- end -}}
