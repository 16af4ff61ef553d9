package dev.sparkmla.engine;

import com.fasterxml.jackson.databind.JsonNode;
import dev.sparkmla.text.ChatTemplate;
import dev.sparkmla.text.Message;
import dev.sparkmla.text.PromptText;
import dev.sparkmla.text.TokenDecoder;
import dev.sparkmla.text.Tokenizer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The demo model's folder, tokenizer and template, for tests that need real text. */
final class DemoText {
  /** The folder, from a module's directory. */
  static final Path FOLDER = Path.of("..", "jobs", "demo-model", "model");

  /** Rows of the model's embedding. */
  static final int VOCABULARY = 896;

  private DemoText() {}

  static Tokenizer openTokenizer() {
    return PromptText.open(FOLDER).tokenizer();
  }

  static ChatTemplate openTemplate() {
    try (PromptText text = PromptText.open(FOLDER)) {
      return text.template().orElseThrow();
    }
  }

  /** The messages of a sample's prompt. */
  static List<Message> conversation(JsonNode prompt) {
    List<Message> messages = new ArrayList<>();
    for (JsonNode message : prompt) {
      messages.add(
          new Message(
              message.required("role").textValue(), message.required("content").textValue()));
    }
    return messages;
  }

  /** The text of ids, decoded one by one; special tokens leave no text. */
  static String decode(Tokenizer tokenizer, int[] ids) {
    TokenDecoder decoder = tokenizer.newDecoder(false);
    StringBuilder text = new StringBuilder();
    for (int id : ids) {
      text.append(decoder.append(id));
    }
    return text.append(decoder.finish()).toString();
  }
}
