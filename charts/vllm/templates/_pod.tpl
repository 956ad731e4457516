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
serviceAccountName: {{ include "vllm.name" .root }}
automountServiceAccountToken: false
enableServiceLinks: false
# Nodes shut down gracefully within 150 s, 30 s of them for critical pods: a longer period would be cut short.
# The drain takes 80 s of it at most (drain.py), and the stop of a real group took up to 29 s.
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
    # In place of the image's entrypoint.
    command:
      {{- include "vllm.command" . | nindent 6 }}
    # A crashed pod is deleted with its group, and its logs with it: the supervisor leaves the reason here, and where it
    # was killed itself, Kubernetes takes the log's end.
    terminationMessagePolicy: FallbackToLogsOnError
    args:
      {{- include "vllm.args" . | nindent 6 }}
    env:
      {{- include "vllm.env" . | nindent 6 }}
    {{- if eq .role "leader" }}
    ports:
      - name: http
        containerPort: {{ int $values.port }}
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
    # On the node's own disk, and still there for the next pod.
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
  # Every key of the Secret is one that clients may show.
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
  # Of a node that vanished nothing comes back, and its group serves nobody: a minute, in place of Kubernetes' default of five,
  # after the 40 s in which the node lease runs out. As long as the supervisors wait for each other (files/group.py), so
  # that a short loss of the network restarts no model.
  - key: node.kubernetes.io/not-ready
    operator: Exists
    effect: NoExecute
    tolerationSeconds: 60
  - key: node.kubernetes.io/unreachable
    operator: Exists
    effect: NoExecute
    tolerationSeconds: 60
{{- if and (gt (len $zones) 1) (eq .role "leader") }}
# The plan has nodes for as many groups in each zone. minDomains: a zone whose nodes are not there yet counts as empty, or
# leaders would fill the first zone and leave their workers no room.
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
    # The model's own node group where there is one; any node of the type and zone otherwise.
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        preference:
          matchExpressions:
            - key: vllm-eks/model
              operator: In
              values: [{{ include "vllm.name" .root | quote }}]
  {{- if and (gt (len $zones) 1) (eq .role "worker") }}
  # Into the zone of the group's own leader, and after it.
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
  # One stage a node: two stages on one node would leave the plan's node empty and share a network card.
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
