// What several renditions of one source have in common: the steps before they are scaled, and the scaling itself.

import { imageOperations } from './image.ts';
import type { ImageStep } from './image.ts';
import type { Size } from './image-operation.ts';
import { sizeAfter } from './image-plan.ts';
import type { ImagePlan, Pipeline } from './image-plan.ts';

/** Renditions with the same steps before they are scaled. */
export interface ScalingTree {
  /** From the decoded source to what is scaled. Nothing is flattened yet. */
  readonly before: readonly Pipeline[];
  readonly scaled: readonly ScaledNode[];
}

/** Pixels of one size. */
export interface ScaledNode {
  readonly step: ImageStep;
  /** Positions of the plans that are written from these pixels. */
  readonly plans: readonly number[];
  /** Smaller ones, which are scaled from these pixels and not from the source. */
  readonly children: readonly ScaledNode[];
}

/** The one picture that all of them can be scaled from, so that the source need be decoded to no more than that. */
export function commonRoot({ trees: [tree, ...more], alone }: Sharing): ScaledNode | undefined {
  const [root, ...others] = tree?.scaled ?? [];
  const isCommon = more.length + others.length + alone.length === 0 && tree?.before.length === 0;
  return isCommon ? root : undefined;
}

export interface Sharing {
  readonly trees: readonly ScalingTree[];
  /** Those that share nothing but the decoded source. */
  readonly alone: readonly (readonly [position: number, plan: ImagePlan])[];
}

/** From pixels so many times larger a picture is scaled as well as from the source, or nobody sees a difference. */
const GOOD_RATIO = 2;
/** From the largest rendition this will do: it spares another decode or scaling of the whole source. */
const LEAST_RATIO = 1.2;

/**
 * Which renditions share their scaling. Animations do not, nor do those that cannot do with decoded pixels. `size`: of
 * the source, upright.
 */
export function shareScaling(
  plans: readonly ImagePlan[],
  size: Size,
  needsFile: (plan: ImagePlan) => boolean,
): Sharing {
  const groups = new Map<string, { before: readonly Pipeline[]; wanted: Map<string, Wanted> }>();
  const alone: [number, ImagePlan][] = [];
  for (const [index, plan] of plans.entries()) {
    const cut = plan.animated || needsFile(plan) ? undefined : cutOff(plan.pipelines);
    if (cut === undefined) {
      alone.push([index, plan]);
      continue;
    }
    const { before, step } = cut;
    const group = groups.get(JSON.stringify(before)) ?? { before, wanted: new Map<string, Wanted>() };
    groups.set(JSON.stringify(before), group);
    const reached = before
      .flatMap(({ steps }) => steps)
      .reduce<Size>((at, each) => sizeAfter(each, at), size);
    const same = group.wanted.get(JSON.stringify(step));
    const { width } = sizeAfter(step, reached);
    group.wanted.set(JSON.stringify(step), { step, width, plans: [...(same?.plans ?? []), index] });
  }
  const trees: ScalingTree[] = [];
  for (const { before, wanted } of groups.values()) {
    const [first, ...more] = wanted.values();
    // Alone, a rendition is made in one pass.
    if (more.length === 0 && first?.plans.length === 1) {
      alone.push(...first.plans.map((index): [number, ImagePlan] => [index, plans[index]!]));
    } else trees.push({ before, scaled: treeOf([...wanted.values()]) });
  }
  return { trees, alone };
}

interface Wanted {
  readonly step: ImageStep;
  readonly width: number;
  readonly plans: readonly number[];
}

/** The last step of a plan, if it only scales to a width, and what comes before it. */
function cutOff(
  pipelines: readonly Pipeline[],
): { readonly before: readonly Pipeline[]; readonly step: ImageStep } | undefined {
  const plain = pipelines
    .map((pipeline) => ({ ...pipeline, flatten: false }))
    .filter(({ steps }, index) => steps.length > 0 || index < pipelines.length - 1);
  const last = plain.at(-1);
  const step = last?.steps.at(-1);
  if (last === undefined || step === undefined || !scalesToWidth(step)) return undefined;
  const rest = { ...last, steps: last.steps.slice(0, -1) };
  return { before: [...plain.slice(0, -1), ...(rest.steps.length > 0 ? [rest] : [])], step };
}

/** Nothing else is asked of it than a width: its shape stays, and nothing is cut off or filled. */
function scalesToWidth(step: ImageStep): boolean {
  if (step.op !== 'resize' || step.width === undefined) return false;
  const { op: _, ...params } = step;
  return (
    JSON.stringify(params) === JSON.stringify(imageOperations.resize.params.parse({ width: step.width }))
  );
}

/** Each below the smallest that is large enough to scale it well, or below the largest. */
function treeOf(wanted: readonly Wanted[]): ScaledNode[] {
  const below = (parent: Wanted | undefined): ScaledNode[] =>
    wanted
      .filter((each) => parentOf(each, wanted) === parent)
      .map((each) => ({ step: each.step, plans: each.plans, children: below(each) }));
  return below(undefined);
}

function parentOf({ width }: Wanted, among: readonly Wanted[]): Wanted | undefined {
  const good = among.filter((other) => other.width >= width * GOOD_RATIO);
  if (good.length > 0) return good.reduce((a, b) => (b.width < a.width ? b : a));
  const largest = among.reduce((a, b) => (b.width > a.width ? b : a));
  return largest.width >= width * LEAST_RATIO ? largest : undefined;
}
