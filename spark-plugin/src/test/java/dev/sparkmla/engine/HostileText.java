package dev.sparkmla.engine;

import dev.sparkmla.text.Message;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** Texts and conversations that no one would write, from a seed. */
final class HostileText {
  private static final List<String> FRAGMENTS =
      List.of(
          "",
          " ",
          "\n",
          "\r\n",
          "\t",
          "\u0000",
          "\u0001",
          "\u001f",
          "\u007f",
          "\u0085",
          "\u00a0",
          "\u200b",
          "\u200d",
          "\u2028",
          "\ufeff",
          "\ufffd",
          "\ufffe",
          "\uffff",
          "\ue000",
          "\uf8ff",
          "\ud83d",
          "\ude42",
          "\ud83d\ude42",
          "\udbff\udfff",
          "e\u0301",
          "\u0301\u0301\u0301",
          "ß",
          "東京",
          "سلام",
          "नमस्ते",
          "👩‍👩‍👧‍👦",
          "a",
          "Z",
          "0",
          "'s",
          "'LL",
          "<|",
          "|>",
          "<|end|>",
          "<|bos|>",
          "<|user|>",
          "<|assistant|>",
          "<<|end|>|>",
          "</think>",
          "<think>",
          "{{ 1 }}",
          "{% x %}",
          "{# #}",
          "\\",
          "\"",
          "'",
          "\\u0000",
          "%s",
          "%n",
          "$1",
          "../..",
          "NaN",
          "1e400",
          "null",
          "-9223372036854775808",
          "<script>",
          "&amp;",
          "river",
          "lantern 19");

  private static final List<String> ROLES =
      List.of(
          "user",
          "user",
          "user",
          "assistant",
          "system",
          "tool",
          "",
          " ",
          "USER",
          "\u0000",
          "<|user|>",
          "\ud83d",
          "{{ x }}",
          "developer");

  private HostileText() {}

  /** One to six messages; the last one's content is often a prompt of its own. */
  static List<Message> conversation(Random random) {
    List<Message> messages = new ArrayList<>();
    int count = random.nextInt(3) == 0 ? 1 + random.nextInt(6) : 1;
    for (int i = 0; i < count; i++) {
      String role = random.nextBoolean() ? "user" : ROLES.get(random.nextInt(ROLES.size()));
      messages.add(new Message(role, text(random)));
    }
    return messages;
  }

  private static String text(Random random) {
    return switch (random.nextInt(8)) {
      case 0 -> fragment(random).repeat(1 + random.nextInt(2_000));
      case 1 -> fragment(random).repeat(random.nextInt(200)) + fragment(random);
      case 2 -> characters(random);
      default -> fragments(random);
    };
  }

  private static String fragment(Random random) {
    return FRAGMENTS.get(random.nextInt(FRAGMENTS.size()));
  }

  private static String fragments(Random random) {
    StringBuilder text = new StringBuilder();
    for (int left = random.nextInt(40); left > 0; left--) {
      text.append(fragment(random));
    }
    return text.toString();
  }

  /** Any characters, halves of pairs too. */
  private static String characters(Random random) {
    StringBuilder text = new StringBuilder();
    for (int left = random.nextInt(300); left > 0; left--) {
      text.append((char) random.nextInt(1 << 16));
    }
    return text.toString();
  }

  /** A conversation in a line of a report. */
  static String shown(List<Message> messages) {
    String text = messages.toString();
    return messages.size() + " messages " + (text.length() > 60 ? text.substring(0, 60) : text);
  }
}
