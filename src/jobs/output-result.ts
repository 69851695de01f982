// What became of one output of a job.

/** One finished output. `key` is where its bytes are in the store. */
export interface OutputResult {
  /** Of an output that is several files: those that clients are told of. */
  readonly files?: readonly OutputFile[];
  /** Where all its files are in the store, segments too: a key that ends with `/`. Then `main` is the one to begin with. */
  readonly folder?: string;
  readonly main?: string;
  readonly mediaType: string;
  readonly bytes: number;
  readonly width: number | null;
  readonly height: number | null;
  readonly durationSeconds: number | null;
  readonly decisions: readonly string[];
  readonly key: string;
}

/** One of several files of an output. */
export interface OutputFile {
  /** Its name within the output, such as `320.webp`. */
  readonly file: string;
  readonly mediaType: string;
  readonly bytes: number;
  /** Pixels. */
  readonly width: number | null;
  readonly height: number | null;
  readonly key: string;
}

/** An output whose first files can be fetched while the rest is being made. */
export interface LiveOutput {
  /** As in OutputResult. */
  readonly folder: string;
  readonly main: string;
  readonly mediaType: string;
}
