/** One click away under a message. */
export const QUICK = ["👍", "❤️", "😂", "🎉", "😮", "🙏"] as const;

/** With the words that a search or a screen reader has for them. */
export const EMOJI: readonly (readonly [string, string])[] = [
  ["👍", "thumbs up"],
  ["👎", "thumbs down"],
  ["❤️", "heart"],
  ["😂", "laughing with tears"],
  ["🎉", "party"],
  ["😮", "surprised"],
  ["🙏", "thank you"],
  ["😀", "grinning"],
  ["😄", "smiling"],
  ["😉", "winking"],
  ["😊", "happy"],
  ["😍", "in love"],
  ["😎", "cool"],
  ["🤔", "thinking"],
  ["😅", "sweating"],
  ["😢", "crying"],
  ["😭", "sobbing"],
  ["😡", "angry"],
  ["😴", "sleeping"],
  ["🤯", "mind blown"],
  ["🥳", "celebrating"],
  ["🙄", "rolling eyes"],
  ["🤝", "handshake"],
  ["👏", "applause"],
  ["🙌", "raised hands"],
  ["💪", "strong"],
  ["👋", "waving"],
  ["👀", "looking"],
  ["✅", "done"],
  ["❌", "no"],
  ["❓", "question"],
  ["❗", "important"],
  ["💯", "hundred"],
  ["🔥", "fire"],
  ["⭐", "star"],
  ["💡", "idea"],
  ["🚀", "rocket"],
  ["🐛", "bug"],
  ["🐦", "bird"],
  ["☕", "coffee"],
  ["🍰", "cake"],
  ["🌍", "world"],
];

/** One emoji, with its variation, its skin, or others that are joined to it. */
const ONE = String.raw`\p{Extended_Pictographic}(?:\p{Emoji_Modifier}|\u{FE0F}|\u{200D}\p{Extended_Pictographic})*`;
const ONLY = new RegExp(`^(?:${ONE}\\s*){1,5}$`, "u");

/** A few emoji and nothing else, which is shown large. */
export const isEmojiOnly = (text: string): boolean => text.length < 64 && ONLY.test(text.trim());
