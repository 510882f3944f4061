/**
 * The state machines: which states a thing can be in, what each means, who moves it on, and which moves there are. This
 * is the one place: the types derive from it, triggers in the database refuse every other move (`0010_states.sql`, held
 * equal by a test), and `docs/states.md` is its picture. Pure.
 */

/**
 * Who moves a thing out of a state: a stage, the sweep where a message was lost, a replay for itself, the operator. `nobody`
 * marks an end. What waits for `parse` or `apply` is woken by the sweep, too.
 */
export type Mover = "parse" | "apply" | "notify" | "sweep" | "replay" | "operator" | "nobody";

export interface StateMeaning {
  /** One plain sentence for somebody who has never seen this system. */
  readonly means: string;
  readonly movedBy: readonly Mover[];
  /** What the operator can do about it, one plain sentence. */
  readonly operator: string;
}

/** Where a thing comes from that is not there yet. */
export const NEW = "new";

export interface Machine {
  /** The table whose column `state` holds it; the ledger has none: what is in it stays as it is. */
  readonly table: string;
  readonly title: string;
  readonly states: Readonly<Record<string, StateMeaning>>;
  /** From, to, and what makes the move. */
  readonly moves: readonly (readonly [from: string, to: string, by: string])[];
}

const NOTHING = "Nothing to do.";

const delivery = {
  table: "deliveries",
  title: "A delivery: one mail or one upload",
  states: {
    parsing: {
      means: "Its files are being found and read, or are about to be.",
      movedBy: ["parse", "sweep"],
      operator: "Nothing: the sweep wakes it if it stops.",
    },
    parsed: {
      means: "Everything in it was looked at; each file that was taken goes its own way from here.",
      movedBy: ["nobody"],
      operator: "Answer what its files are held for; that opens it again.",
    },
    quarantined: {
      means: "Nothing proves that it comes from its sender, so nothing in it was read.",
      movedBy: ["operator"],
      operator: "Release it if the sender is genuine; else leave it.",
    },
    ignored: {
      means: "It is an automatic answer, such as an absence note or a bounce: kept, and not read.",
      movedBy: ["nobody"],
      operator: NOTHING,
    },
    rejected: {
      means: "Nothing in it can be read as a file of the feed; the customer must send something else.",
      movedBy: ["nobody"],
      operator: "Tell the customer, unless the report already did.",
    },
    dead: {
      means: "Reading it failed for a reason that does not pass by itself; the dead letter says why.",
      movedBy: ["operator"],
      operator: "Mend the cause, then redrive the dead letter.",
    },
  },
  moves: [
    [NEW, "parsing", "it arrives"],
    [NEW, "quarantined", "its sender is not proven"],
    [NEW, "ignored", "it is an automatic mail"],
    ["parsing", "parsed", "it was read"],
    ["parsing", "rejected", "there is nothing to read in it"],
    ["parsing", "dead", "its message is parked"],
    ["quarantined", "parsing", "the operator releases it"],
    ["parsed", "parsing", "a question about a file is answered, or one was left unread"],
    ["dead", "parsing", "its dead letter is redriven"],
  ],
} as const satisfies Machine;

const file = {
  table: "files",
  title: "A file: one payload of a delivery",
  states: {
    parsing: {
      means: "It is being read, or is about to be.",
      movedBy: ["parse", "sweep"],
      operator: "Nothing: the sweep wakes its delivery if it stops.",
    },
    parsed: {
      means: "It was read to its end and waits for its turn to be applied.",
      movedBy: ["apply", "sweep"],
      operator: "Nothing: the sweep wakes it if it stops.",
    },
    applying: {
      means: "Its records are being written.",
      movedBy: ["apply", "sweep"],
      operator: "Nothing: the sweep wakes it if its worker died.",
    },
    applied: {
      means: "All of it is in the database, and its books balance.",
      movedBy: ["nobody"],
      operator: NOTHING,
    },
    compared: {
      means:
        "It was held against the database and told of; it is a dry run or a snapshot, and is never applied itself.",
      movedBy: ["nobody"],
      operator: NOTHING,
    },
    held: {
      means: "Nothing more of it is written until somebody decides; its failure is the question.",
      movedBy: ["operator"],
      operator: "Release it, accept its format, or reject it.",
    },
    rejected: {
      means: "It is not applied, ever: it cannot be read, or the operator refused it.",
      movedBy: ["nobody"],
      operator: "Tell the customer, unless the report already did.",
    },
    duplicate: {
      means: "It says again what the file next to it says, and was not applied a second time.",
      movedBy: ["nobody"],
      operator: "Nothing: it opens again by itself if the file that it repeats fails, or another comes in between.",
    },
    dead: {
      means: "Reading or applying it failed for a reason that does not pass by itself; the dead letter says why.",
      movedBy: ["operator"],
      operator: "Mend the cause, then redrive the dead letter.",
    },
  },
  moves: [
    [NEW, "parsing", "its delivery is read"],
    ["parsing", "parsed", "it was read to its end"],
    ["parsing", "held", "its format, its limits or its number are a question"],
    ["parsing", "rejected", "it cannot be read"],
    ["parsing", "duplicate", "the same content again"],
    ["parsing", "dead", "its message is parked"],
    ["parsed", "applying", "apply takes the lease"],
    ["parsed", "compared", "it is only compared, and that is done"],
    ["parsed", "held", "it cannot be compared"],
    ["parsed", "dead", "its message is parked"],
    ["applying", "applied", "its books balance"],
    ["applying", "held", "its effect or its books are a question"],
    ["applying", "dead", "its message is parked"],
    ["held", "parsing", "the question about its format is answered"],
    ["held", "parsed", "the operator releases it"],
    ["held", "rejected", "the operator refuses it"],
    ["duplicate", "parsed", "the file it repeats failed, or another came in between"],
    ["dead", "parsing", "its dead letter is redriven"],
    ["dead", "parsed", "its dead letter is redriven"],
  ],
} as const satisfies Machine;

const deadLetter = {
  table: "dead_letters",
  title: "A dead letter: a message that a stage gave up on",
  states: {
    open: {
      means: "Somebody must look: the work it stands for is not done.",
      movedBy: ["operator"],
      operator: "Mend the cause and redrive it, or discard it with a reason.",
    },
    redriven: {
      means: "Its message was sent again; should that fail, a new letter names this one.",
      movedBy: ["nobody"],
      operator: NOTHING,
    },
    discarded: {
      means: "The operator decided that its work is not to be done.",
      movedBy: ["nobody"],
      operator: NOTHING,
    },
  },
  moves: [
    [NEW, "open", "a stage parks a message"],
    ["open", "redriven", "the operator redrives it"],
    ["open", "discarded", "the operator discards it"],
  ],
} as const satisfies Machine;

const notification = {
  table: "notifications",
  title: "A notification: a mail to a person",
  states: {
    waiting: {
      means: "It is to be sent, for the first time or again.",
      movedBy: ["notify"],
      operator: NOTHING,
    },
    sent: {
      means: "The mail service took it.",
      movedBy: ["nobody"],
      operator: NOTHING,
    },
    failed: {
      means: "It could not be sent, and is not tried again.",
      movedBy: ["nobody"],
      operator: "Read it here, and tell the person yourself.",
    },
  },
  moves: [
    [NEW, "waiting", "there is something to tell"],
    ["waiting", "sent", "the mail service takes it"],
    ["waiting", "failed", "its tries are used up"],
    ["failed", "sent", "a slow sender had sent it after all"],
  ],
} as const satisfies Machine;

const feedVersion = {
  table: "feed_versions",
  title: "A version of a feed's format or mapping",
  states: {
    proposed: {
      means: "Detection or a person suggests it; no file is read by it.",
      movedBy: ["operator"],
      operator: "Accept or reject it.",
    },
    active: {
      means: "The feed's files are read by it.",
      movedBy: ["operator"],
      operator: "Activate another one to take it back.",
    },
    retired: {
      means: "Files were read by it until another took its place.",
      movedBy: ["operator"],
      operator: "Activate it to go back to it.",
    },
    rejected: {
      means: "It was not accepted.",
      movedBy: ["nobody"],
      operator: NOTHING,
    },
  },
  moves: [
    [NEW, "proposed", "it is suggested"],
    ["proposed", "active", "it is accepted, or the adapter says it"],
    ["proposed", "rejected", "it is refused, or the adapter says otherwise"],
    ["active", "retired", "another becomes active"],
    ["retired", "active", "the operator takes it back"],
  ],
} as const satisfies Machine;

/** A row of the ledger has no state of its own: which part of a file it is for is its state, and no row ever changes. */
const chunk = {
  table: "ledger",
  title: "A chunk: a part of a file, as the ledger books it",
  states: {
    planned: {
      means: "It is known which of its rows differ; the others are settled.",
      movedBy: ["nobody"],
      operator: NOTHING,
    },
    applied: {
      means: "Its rows are written, with their changes.",
      movedBy: ["nobody"],
      operator: NOTHING,
    },
  },
  moves: [
    [NEW, "planned", "plan compares it"],
    [NEW, "applied", "apply writes it"],
  ],
} as const satisfies Machine;

const driftReport = {
  table: "drift_reports",
  title: "A drift report: a snapshot held against the records",
  states: {
    open: {
      means: "Its snapshot is being compared, or is about to be.",
      movedBy: ["apply", "sweep"],
      operator: "Nothing: the cron wakes it if it stops.",
    },
    late: {
      means: "A newer snapshot was compared before it, so what it says is over.",
      movedBy: ["nobody"],
      operator: NOTHING,
    },
    clean: {
      means: "Nothing differs that is not explained.",
      movedBy: ["nobody"],
      operator: NOTHING,
    },
    healing: {
      means: "What differs is within the limits, and a file that heals it is made and applied.",
      movedBy: ["apply", "sweep"],
      operator: "Nothing: the cron wakes it if it stops.",
    },
    healed: {
      means: "What differed is as the snapshot says, unless something newer has spoken.",
      movedBy: ["nobody"],
      operator: NOTHING,
    },
    waiting: {
      means: "More differs than heals by itself: somebody must look.",
      movedBy: ["operator"],
      operator: "Release it, and it is healed; or reject it, and all stays as it is.",
    },
    released: {
      means: "The operator wants it healed; a file that does so is made and applied.",
      movedBy: ["apply", "sweep"],
      operator: "Nothing: the cron wakes it if it stops.",
    },
    rejected: {
      means: "The operator decided that the records stay as they are.",
      movedBy: ["nobody"],
      operator: NOTHING,
    },
  },
  moves: [
    [NEW, "open", "a snapshot is to be compared"],
    [NEW, "late", "a newer snapshot was compared before"],
    ["open", "clean", "nothing unexplained differs"],
    ["open", "healing", "it differs within the limits"],
    ["open", "waiting", "it differs beyond the limits"],
    ["waiting", "released", "the operator releases it"],
    ["waiting", "rejected", "the operator refuses it, or nobody decides in time"],
    ["healing", "healed", "the file that heals it is applied"],
    ["healing", "rejected", "it cannot be healed: its feed is described otherwise by now, or its file was refused"],
    ["released", "healed", "the file that heals it is applied"],
    ["released", "rejected", "it cannot be healed: its feed is described otherwise by now, or its file was refused"],
  ],
} as const satisfies Machine;

const replay = {
  table: "replays",
  title: "A replay: deliveries read again from the archive",
  states: {
    collecting: {
      means: "The archive is being looked through for what it is about.",
      movedBy: ["replay", "operator"],
      operator: "Nothing: the cron goes on where it stopped. Or cancel it.",
    },
    running: {
      means: "Its deliveries are read again, of each feed one after the other.",
      movedBy: ["replay", "operator"],
      operator: "Nothing: the cron goes on where it stopped. Or pause or cancel it.",
    },
    paused: {
      means: "No further delivery is begun; those under way come to their end.",
      movedBy: ["operator"],
      operator: "Resume or cancel it.",
    },
    done: {
      means: "Each of its deliveries has come to an end, and it says to which.",
      movedBy: ["nobody"],
      operator: "Look at what was left out or failed, if anything was.",
    },
    cancelled: {
      means: "The operator stopped it for good; what was read until then stays.",
      movedBy: ["nobody"],
      operator: NOTHING,
    },
    failed: {
      means: "What it is about could not be found out; nothing was read.",
      movedBy: ["nobody"],
      operator: "Mend the cause, and begin another one.",
    },
  },
  moves: [
    [NEW, "collecting", "the operator asks for it"],
    ["collecting", "running", "all of it is listed"],
    ["collecting", "cancelled", "the operator cancels it"],
    ["collecting", "failed", "it cannot be listed"],
    ["running", "paused", "the operator pauses it"],
    ["running", "done", "nothing of it is left"],
    ["running", "cancelled", "the operator cancels it"],
    ["paused", "running", "the operator resumes it"],
    ["paused", "cancelled", "the operator cancels it"],
  ],
} as const satisfies Machine;

const replayItem = {
  table: "replay_items",
  title: "A replayed delivery",
  states: {
    waiting: {
      means: "Its turn has not come: of its feed, one delivery goes on at a time.",
      movedBy: ["replay"],
      operator: NOTHING,
    },
    sent: {
      means: "It is being read again, and its files go their way.",
      movedBy: ["replay"],
      operator: "Nothing: its message is sent again if it does not move.",
    },
    done: { means: "All its files have come to rest.", movedBy: ["nobody"], operator: NOTHING },
    skipped: {
      means: "It is left out, and its reason says why.",
      movedBy: ["nobody"],
      operator: "Decide about the delivery itself, if it is to go on.",
    },
    failed: {
      means: "It did not come to its end, and the replay went on without it.",
      movedBy: ["nobody"],
      operator: "Mend the cause, and replay this delivery.",
    },
  },
  moves: [
    [NEW, "waiting", "it is found in the archive"],
    [NEW, "skipped", "it is found, and cannot be read again"],
    ["waiting", "sent", "its turn comes"],
    ["waiting", "skipped", "it is not to be read again, or the replay is cancelled"],
    ["sent", "done", "its files are at rest"],
    ["sent", "failed", "a file of it died, or it does not move"],
    ["sent", "skipped", "the replay is cancelled"],
  ],
} as const satisfies Machine;

export const MACHINES = {
  delivery,
  file,
  chunk,
  deadLetter,
  notification,
  feedVersion,
  driftReport,
  replay,
  replayItem,
} as const;

export type MachineName = keyof typeof MACHINES;
export type StateOf<K extends MachineName> = Extract<keyof (typeof MACHINES)[K]["states"], string>;
export type DeliveryState = StateOf<"delivery">;
export type FileState = StateOf<"file">;
export type DeadLetterState = StateOf<"deadLetter">;

/** All states of a thing, in the order of the table. */
export function statesOf<K extends MachineName>(kind: K): readonly [StateOf<K>, ...StateOf<K>[]] {
  return Object.keys(MACHINES[kind].states) as [StateOf<K>, ...StateOf<K>[]];
}

/** Whether a thing may go from one state to another; from `new` for one that is not there yet. */
export function mayMove<K extends MachineName>(kind: K, from: StateOf<K> | typeof NEW, to: StateOf<K>): boolean {
  const moves: Machine["moves"] = MACHINES[kind].moves;
  return moves.some((move) => move[0] === from && move[1] === to);
}

/** The states of a thing that `mover` moves on. */
export function statesMovedBy<K extends MachineName>(kind: K, mover: Mover): StateOf<K>[] {
  const states: Machine["states"] = MACHINES[kind].states;
  return statesOf(kind).filter((state) => states[state]!.movedBy.includes(mover));
}

/** Whether no stage is at work on it: it is at its end, or a person must act. */
export const isAtRest = <K extends MachineName>(kind: K, state: StateOf<K>): boolean =>
  !(["parse", "apply", "notify"] as const).some((stage) => statesMovedBy(kind, stage).includes(state));
