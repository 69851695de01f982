// docs/deploy/kubernetes: the parts fit together, and the settings in them are ones that the program takes.

import { execFile, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { readConfig, settings } from '../../src/config.ts';
import type { Config } from '../../src/config.ts';
import { environment, last, readDockerfile, root } from './dockerfile.ts';

type Labels = Readonly<Record<string, string>>;
interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}
interface Container {
  readonly image: string;
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly envFrom: readonly Readonly<Record<'configMapRef' | 'secretRef', { readonly name: string }>>[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly startupProbe: Probe;
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
  readonly lifecycle?: { readonly preStop: { readonly exec: { readonly command: readonly string[] } } };
  readonly resources: Readonly<Record<'requests' | 'limits', Labels>>;
  readonly securityContext: unknown;
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
}
interface Pod {
  readonly terminationGracePeriodSeconds: number;
  readonly securityContext: unknown;
  readonly automountServiceAccountToken: boolean;
  readonly containers: readonly Container[];
  readonly volumes: readonly { readonly name: string; readonly emptyDir: { readonly sizeLimit: string } }[];
}
interface Metric {
  readonly type: string;
  readonly external?: {
    readonly metric: {
      readonly name: string;
      readonly selector: { readonly matchExpressions: readonly { readonly values: readonly string[] }[] };
    };
    readonly target: Readonly<Record<string, string>>;
  };
}
interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels: Labels };
  readonly data?: Labels;
  readonly stringData?: Labels;
  readonly spec: {
    readonly selector: { readonly matchLabels: Labels };
    readonly podSelector?: { readonly matchLabels: Labels };
    readonly template: { readonly metadata: { readonly labels: Labels }; readonly spec: Pod };
    readonly ports: readonly { readonly targetPort: string }[];
    readonly scaleTargetRef: { readonly kind: string; readonly name: string };
    readonly metrics: readonly Metric[];
    readonly ingress: readonly { readonly ports: readonly { readonly port: string }[] }[];
  };
}

const folder = join(root, 'docs/deploy/kubernetes');
const files = readdirSync(folder).toSorted();
const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
const kustomization = parse(read('kustomization.yaml')) as {
  readonly resources: readonly string[];
  readonly images: readonly { readonly name: string }[];
};
const image = environment(readDockerfile().at(-1)!);
const all = [...kustomization.resources, 'secret.yaml'].flatMap((name) =>
  parseAllDocuments(read(name)).map((document) => {
    expect(document.errors, name).toEqual([]);
    return document.toJS() as Manifest;
  }),
);
const of = (kind: string): readonly Manifest[] => all.filter((each) => each.kind === kind);
const deployments = of('Deployment');
const podOf = ({ spec }: Manifest): Pod => spec.template.spec;
const containerOf = (deployment: Manifest): Container => podOf(deployment).containers[0]!;
const matches = (selector: Labels, labels: Labels): boolean =>
  Object.entries(selector).every(([name, value]) => labels[name] === value);
const named = (name: string): Manifest => deployments.find(({ metadata }) => metadata.name === name)!;

/** All that a pod of it is told. */
function environmentOf(deployment: Manifest): Record<string, string> {
  const { env, envFrom } = containerOf(deployment);
  const from = envFrom.flatMap(({ configMapRef, secretRef }) => {
    const [kind, name] = configMapRef ? ['ConfigMap', configMapRef.name] : ['Secret', secretRef.name];
    const source = of(kind).find(({ metadata }) => metadata.name === name)!;
    return Object.entries({ ...source.data, ...source.stringData });
  });
  return Object.fromEntries([...from, ...env.map(({ name, value }) => [name, value] as const)]);
}
const configOf = (deployment: Manifest): Config => readConfig({ ...image, ...environmentOf(deployment) });
const gibibytes = (text: string): number => {
  expect(text).toMatch(/^\d+Gi$/);
  return Number.parseInt(text, 10);
};

test('every file is applied, but what is filled in by hand and the values of a chart', () => {
  const byHand = ['kustomization.yaml', 'prometheus-adapter.yaml', 'secret.yaml'];
  expect(files).toEqual([...kustomization.resources, ...byHand].toSorted());
});

test('everything is of a kind that there is, with a name of its own', () => {
  const KINDS: Readonly<Record<string, string>> = {
    ConfigMap: 'v1',
    Secret: 'v1',
    Service: 'v1',
    Deployment: 'apps/v1',
    PodDisruptionBudget: 'policy/v1',
    HorizontalPodAutoscaler: 'autoscaling/v2',
    NetworkPolicy: 'networking.k8s.io/v1',
  };
  for (const { kind, apiVersion, metadata } of all) {
    expect(apiVersion, kind).toBe(KINDS[kind]);
    expect(metadata.name).toMatch(/^[a-z][a-z0-9-]*$/);
  }
  const names = all.map(({ kind, metadata }) => `${kind}/${metadata.name}`);
  expect(new Set(names).size).toBe(names.length);
  expect(deployments.map(({ metadata }) => metadata.name)).toEqual(['web', 'work', 'work-film']);
});

test.each(deployments.map((each) => [each.metadata.name, each] as const))(
  '%s is told only settings, and the program takes them',
  (_name, deployment) => {
    expect(Object.keys(environmentOf(deployment)).filter((key) => !(key in settings))).toEqual([]);
    const config = configOf(deployment);
    expect(config).toMatchObject({ QUEUE: 'bullmq', STORE: 's3' });
    const { terminationGracePeriodSeconds, volumes } = podOf(deployment);
    const { lifecycle, image: wanted } = containerOf(deployment);
    const waits = Number(lifecycle?.preStop.exec.command[1] ?? 0);
    expect(terminationGracePeriodSeconds).toBeGreaterThan(waits + config.SHUTDOWN_SECONDS);
    expect(kustomization.images.map(({ name }) => name)).toContain(wanted);
    const data = volumes.find(({ name }) => name === 'data')!;
    expect(gibibytes(data.emptyDir.sizeLimit) * 2 ** 30).toBeGreaterThan(2 * config.S3_LOCAL_BYTES);
  },
);

test.each(deployments.map((each) => [each.metadata.name, each] as const))(
  '%s is probed where it answers, bounded and shut in',
  (_name, deployment) => {
    const pod = podOf(deployment);
    const container = containerOf(deployment);
    const ports = new Map(container.ports.map(({ name, containerPort }) => [name, String(containerPort)]));
    expect(ports.get('admin')).toBe(image['ADMIN_PORT']);
    // A machine that only works opens no other.
    expect(ports.get('http')).toBe(configOf(deployment).ROLES.includes('web') ? image['PORT'] : undefined);
    for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe'] as const) {
      const { path, port } = container[probe].httpGet;
      expect(ports.has(port), probe).toBe(true);
      expect(path, probe).toBe(probe === 'readinessProbe' ? '/readyz' : '/livez');
    }
    for (const what of ['cpu', 'memory', 'ephemeral-storage']) {
      expect(container.resources.requests[what], what).toBeDefined();
      expect(container.resources.limits[what], what).toBeDefined();
    }
    const disks = pod.volumes.map(({ emptyDir }) => gibibytes(emptyDir.sizeLimit));
    expect(disks.reduce((sum, each) => sum + each, 0)).toBeLessThan(
      gibibytes(container.resources.limits['ephemeral-storage'] ?? ''),
    );
    const [user] = last(readDockerfile().at(-1)!, 'USER')?.split(':') ?? [];
    expect(pod).toMatchObject({
      automountServiceAccountToken: false,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: Number(user),
        seccompProfile: { type: 'RuntimeDefault' },
      },
    });
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    expect(container.volumeMounts.map(({ name }) => name).toSorted()).toEqual(
      pod.volumes.map(({ name }) => name).toSorted(),
    );
    expect(container.volumeMounts.map(({ mountPath }) => mountPath)).toEqual([image['DATA_DIR'], '/tmp']);
  },
);

test('selectors find the pods that they mean, and no others', () => {
  for (const { kind, metadata, spec } of all) {
    if (!['Deployment', 'Service', 'PodDisruptionBudget'].includes(kind)) continue;
    const selector = kind === 'Service' ? (spec.selector as unknown as Labels) : spec.selector.matchLabels;
    const found = deployments.filter((each) => matches(selector, each.spec.template.metadata.labels));
    expect(
      found.map((each) => each.metadata.name),
      `${kind} ${metadata.name}`,
    ).toEqual([metadata.name]);
  }
  for (const { spec } of of('NetworkPolicy')) {
    for (const each of deployments) {
      expect(matches(spec.podSelector!.matchLabels, each.spec.template.metadata.labels)).toBe(true);
    }
    const known = deployments.flatMap((each) => containerOf(each).ports.map(({ name }) => name));
    for (const { ports } of spec.ingress) for (const { port } of ports) expect(known).toContain(port);
  }
  for (const { metadata, spec } of of('Service')) {
    const known = containerOf(named(metadata.name)).ports.map(({ name }) => name);
    for (const { targetPort } of spec.ports) expect(known).toContain(targetPort);
  }
});

test('all lanes are worked on somewhere', () => {
  const lanes = deployments
    .map(configOf)
    .filter(({ ROLES }) => ROLES.includes('work'))
    .flatMap(({ LANES }) => LANES);
  expect(lanes.toSorted()).toEqual([...readConfig({}).LANES].toSorted());
});

test('scaling looks at the own lanes, by figures that there are and that reach the scaler', () => {
  const source = readFileSync(join(root, 'src/metrics/report.ts'), 'utf8');
  const { rules } = parse(read('prometheus-adapter.yaml')) as {
    readonly rules: { readonly external: readonly { readonly seriesQuery: string }[] };
  };
  expect(of('HorizontalPodAutoscaler').map(({ metadata }) => metadata.name)).toEqual([
    'web',
    'work',
    'work-film',
  ]);
  for (const { spec } of of('HorizontalPodAutoscaler')) {
    expect(spec.scaleTargetRef.kind).toBe('Deployment');
    const config = configOf(named(spec.scaleTargetRef.name));
    for (const { type, external } of spec.metrics) {
      if (external === undefined) {
        expect(type).toBe('Resource');
        continue;
      }
      const { metric, target } = external;
      expect(source).toContain(`'${metric.name}'`);
      expect(rules.external.map(({ seriesQuery }) => seriesQuery)).toContain(metric.name);
      // Chunks are no jobs: nobody counts them as such.
      expect(metric.selector.matchExpressions[0]?.values).toEqual(
        config.LANES.filter((lane) => lane !== 'chunk'),
      );
      if (metric.name === 'mediamill_lane_jobs') {
        const slots = config.LANES.includes('film') ? config.FILM_SLOTS : config.VIDEO_SLOTS;
        expect(Number(target['averageValue'])).toBe(slots);
      }
    }
  }
});

const hasKubectl = spawnSync('kubectl', ['version', '--client'], { stdio: 'ignore' }).status === 0;
test.runIf(hasKubectl)('kustomize puts it together', async () => {
  const { stdout } = await promisify(execFile)('kubectl', ['kustomize', folder]);
  expect(stdout).toContain('registry.example.com/mediamill:0.1.0');
});
