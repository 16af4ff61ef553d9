package dev.sparkmla.text;

import dev.sparkmla.policy.TokenBytes;
import dev.sparkmla.text.TokenizerFile.AddedToken;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * A model's tokenizer: a tokenizer.json, tiktoken.model or tekken.json, run by the native
 * tokenizers library, with the tokens around a prompt that tokenizer_config.json asks for. Nothing
 * is truncated or padded. Lone surrogates, which no UTF-8 text can hold, count as U+FFFD.
 *
 * <p>A special token that is spelled in a user's text stays plain text, while the chat template's
 * markers in the same string are parsed. For this the library runs a second tokenizer, in which
 * every special token has a secret name: a random text of private-use characters. Markers that may
 * be parsed are replaced by their secret names before encoding; the tokenizer does not find the
 * others. The string is encoded as a whole, so that the tokenizer's rules about neighbouring
 * characters hold everywhere.
 *
 * <p>Thread-safe. One owner closes it; calls after that throw {@link IllegalStateException}.
 */
public final class Tokenizer implements AutoCloseable {
  private final NativeTokenizer parsing;
  private final NativeTokenizer guarded;
  private final Path file;
  private final int vocabularySize;
  private final OptionalInt longestToken;
  private final Optional<TokenBytes> tokenBytes;
  private final Frame frame;
  private final List<AddedToken> markers;

  /** Secret names by content. */
  private final Map<String, String> secrets;

  /** What the guarded tokenizer calls tokens, where it is not their id. */
  private final Map<Integer, Integer> guardedIds;

  /** Stand-ins for the first characters of spellings that must not be parsed. */
  private final Map<String, String> hidden;

  private final ControlTokens allMarkers;
  private final ControlTokens unspecialMarkers;

  /** What tokenizer_config.json adds around a prompt that tokenizer.json may not. */
  private record Frame(OptionalInt first, OptionalInt last) {}

  /** Which spellings must not be parsed in a message, by its role. */
  private record Guard(ChatTemplate template, ControlTokens forAssistant, ControlTokens forOthers) {
    ControlTokens tokensIn(String role) {
      return role.equals("assistant") ? forAssistant : forOthers;
    }
  }

  /** Of the template used last; others compute the same when two threads meet here. */
  private volatile Guard guard;

  private Tokenizer(
      NativeTokenizer parsing,
      NativeTokenizer guarded,
      TokenizerFile file,
      Map<String, String> secrets,
      Map<Integer, Integer> guardedIds,
      Frame frame) {
    this.parsing = parsing;
    this.guarded = guarded;
    this.file = file.file();
    this.vocabularySize = file.largestId() + 1;
    this.longestToken = file.longestToken();
    this.tokenBytes = file.tokenBytes();
    this.frame = frame;
    this.secrets = secrets;
    this.guardedIds = guardedIds;
    this.markers = file.added().stream().filter(AddedToken::canMark).toList();
    this.allMarkers = new ControlTokens(markers.stream().map(AddedToken::content).toList());
    this.unspecialMarkers =
        new ControlTokens(
            markers.stream().filter(m -> !m.special()).map(AddedToken::content).toList());
    this.hidden = new HashMap<>();
    SecureRandom random = new SecureRandom();
    for (AddedToken marker : markers) {
      hidden.computeIfAbsent(
          marker.content().substring(0, 1), any -> PrivateUse.randomText(random));
    }
  }

  /**
   * Opens the tokenizer of a model folder.
   *
   * @throws TextFormatException when a file is missing or cannot be used
   */
  static Tokenizer open(Path folder, TokenizerConfig config) {
    TokenizerFile file = TokenizerFile.open(folder, config);
    Frame frame =
        new Frame(
            frameToken("add_bos_token", "bos_token", config, file),
            frameToken("add_eos_token", "eos_token", config, file));
    SecureRandom random = new SecureRandom();
    Map<String, String> secrets = new HashMap<>();
    for (AddedToken token : file.added()) {
      if (token.canMark()) {
        secrets.put(token.content(), PrivateUse.randomText(random));
      }
    }
    NativeTokenizer parsing = file.load();
    try {
      NativeTokenizer guarded = file.loadRenamed(secrets);
      try {
        Map<Integer, Integer> ids = guardedIds(file, secrets, parsing, guarded);
        return new Tokenizer(parsing, guarded, file, secrets, ids, frame);
      } catch (RuntimeException e) {
        guarded.close();
        throw e;
      }
    } catch (RuntimeException e) {
      parsing.close();
      throw e;
    }
  }

  private static OptionalInt frameToken(
      String switchKey, String key, TokenizerConfig config, TokenizerFile file) {
    Optional<String> content = config.token(key);
    if (content.isEmpty()) {
      return OptionalInt.empty();
    }
    OptionalInt id = file.addedId(content.get());
    if (id.isEmpty()) {
      throw new TextFormatException(
          config.file(),
          key
              + " is "
              + content.get()
              + "; expected one of "
              + file.file().getFileName()
              + "'s added_tokens");
    }
    return config.isOn(switchKey) ? id : OptionalInt.empty();
  }

  /** Learns what the guarded tokenizer calls the tokens that go by secret names. */
  private static Map<Integer, Integer> guardedIds(
      TokenizerFile file,
      Map<String, String> secrets,
      NativeTokenizer parsing,
      NativeTokenizer guarded) {
    Map<Integer, Integer> ids = new HashMap<>();
    for (AddedToken token : file.added()) {
      String secret = secrets.get(token.content());
      if (secret == null) {
        continue;
      }
      int[] own = parsing.encode(token.content(), false);
      int[] renamed = guarded.encode(secret, false);
      if (own.length != 1 || own[0] != token.id() || renamed.length != 1) {
        throw new TextFormatException(
            file.file(),
            "added token "
                + token.content()
                + " is encoded as "
                + Arrays.toString(own)
                + "; expected its id "
                + token.id());
      }
      if (renamed[0] != token.id()) {
        ids.put(renamed[0], token.id());
      }
    }
    return ids;
  }

  /** The file that the vocabulary was read from, for messages. */
  public Path file() {
    return file;
  }

  /** One more than the largest id of any token: the least vocabulary a model of it must have. */
  public int vocabularySize() {
    return vocabularySize;
  }

  /**
   * The bytes that each token adds to a text. Special tokens and ids that no token has add none.
   *
   * @param vocabulary the model's number of ids, at least {@link #vocabularySize()}
   * @throws TextFormatException when the tokenizer joins tokens in a way that gives them no bytes
   *     of their own
   */
  public TokenBytes tokenBytes(int vocabulary) {
    return tokenBytes
        .orElseThrow(
            () ->
                new TextFormatException(
                    file,
                    "its decoder gives tokens no bytes of their own, so answers cannot be"
                        + " constrained; expected ByteLevel, ByteFallback, Metaspace or Replace"
                        + " with a plain text"))
        .padded(vocabulary);
  }

  /**
   * A bound of the characters that a text of so many tokens can have, to refuse longer ones without
   * encoding them.
   *
   * @return {@link Long#MAX_VALUE} where there is none, as one token may stand for any white space
   */
  public long mostCharacters(long tokens) {
    return longestToken.isPresent() ? tokens * longestToken.getAsInt() : Long.MAX_VALUE;
  }

  /**
   * Encodes a text, with nothing around it.
   *
   * @return the ids, none for an empty text
   * @throws TextTooLongException when a run of white space or of other characters is too long
   */
  public int[] encode(String text, SpecialTokens special) {
    return switch (special) {
      case PARSED -> parsing.encode(LoneSurrogates.replaced(text), false);
      case PLAIN_TEXT -> encode(prompt(nameUnspecial(text), false));
    };
  }

  /**
   * Makes a prompt of a text that is to be continued as it stands: what the tokenizer puts around
   * every text (a bos token, mostly) goes around it, and special tokens spelled in it are plain
   * text.
   *
   * @throws TextTooLongException when a run of white space or of other characters is too long
   */
  public GuardedPrompt guard(String text) {
    return prompt(nameUnspecial(text), true);
  }

  /** Refuses what the library cannot bear: one prompt would bring down a whole batch. */
  private GuardedPrompt prompt(String text, boolean framed) {
    guarded.requireEncodable(text);
    return new GuardedPrompt(text, framed);
  }

  /** Gives markers that are no special tokens their secret names, by which they are parsed. */
  private String nameUnspecial(String text) {
    return unspecialMarkers.replace(LoneSurrogates.replaced(text), secrets::get);
  }

  /**
   * Makes a prompt of a conversation, laid out by its template. The template's markers are parsed.
   * In messages, tools and variables, special tokens stay plain text. So do other tokens that the
   * template writes itself, except in the assistant's messages, where they may be its own words
   * (thinking, tool calls).
   *
   * @throws ChatTemplateException when the template refuses the conversation
   * @throws TextTooLongException when a run of white space or of other characters is too long
   */
  public GuardedPrompt guard(ChatTemplate template, Conversation conversation) {
    Guard guard = guardOf(template);
    TemplateInput safe =
        TemplateInput.of(conversation)
            .withTexts((role, text) -> guard.tokensIn(role).breakUp(text, hidden::get));
    String marked = allMarkers.replace(template.render(safe), secrets::get);
    for (Map.Entry<String, String> entry : hidden.entrySet()) {
      marked = marked.replace(entry.getValue(), entry.getKey());
    }
    return prompt(LoneSurrogates.replaced(marked), false);
  }

  /** The ids of a text that is to be continued as it stands, as {@link #guard(String)} takes it. */
  public int[] encodePrompt(String text) {
    return encode(guard(text));
  }

  /**
   * The ids of a conversation, as {@link #guard(ChatTemplate, Conversation)} takes it.
   *
   * @throws ChatTemplateException when the template refuses the conversation
   * @throws TextTooLongException when a run of white space or of other characters is too long
   */
  public int[] encodeChat(ChatTemplate template, Conversation conversation) {
    return encode(guard(template, conversation));
  }

  /** The ids of a prompt, none for an empty one. */
  private int[] encode(GuardedPrompt prompt) {
    int[] ids = toIds(guarded.encode(prompt.text(), prompt.framed()));
    return prompt.framed() ? framed(ids) : ids;
  }

  /** The ids of each prompt, in order, on all processors at once. */
  public List<int[]> encodeAll(List<GuardedPrompt> prompts) {
    // The library takes texts that are framed and those that are not in two calls.
    Map<Boolean, Iterator<int[]>> encoded = new HashMap<>();
    for (boolean framed : new boolean[] {false, true}) {
      List<String> texts =
          prompts.stream()
              .filter(prompt -> prompt.framed() == framed)
              .map(GuardedPrompt::text)
              .toList();
      List<int[]> ids = texts.isEmpty() ? List.of() : guarded.encodeAll(texts, framed);
      encoded.put(framed, ids.iterator());
    }
    List<int[]> all = new ArrayList<>(prompts.size());
    for (GuardedPrompt prompt : prompts) {
      int[] ids = toIds(encoded.get(prompt.framed()).next());
      all.add(prompt.framed() ? framed(ids) : ids);
    }
    return all;
  }

  /** Adds the frame's tokens where the tokenizer has not. */
  private int[] framed(int[] ids) {
    boolean first = frame.first().isPresent() && !startsWith(ids, frame.first().getAsInt());
    boolean last = frame.last().isPresent() && !endsWith(ids, frame.last().getAsInt());
    int[] framed = new int[(first ? 1 : 0) + ids.length + (last ? 1 : 0)];
    System.arraycopy(ids, 0, framed, first ? 1 : 0, ids.length);
    if (first) {
      framed[0] = frame.first().getAsInt();
    }
    if (last) {
      framed[framed.length - 1] = frame.last().getAsInt();
    }
    return framed;
  }

  private static boolean startsWith(int[] ids, int id) {
    return ids.length > 0 && ids[0] == id;
  }

  private static boolean endsWith(int[] ids, int id) {
    return ids.length > 0 && ids[ids.length - 1] == id;
  }

  private Guard guardOf(ChatTemplate template) {
    Guard last = guard;
    if (last != null && last.template() == template) {
      return last;
    }
    List<String> special = new ArrayList<>();
    List<String> written = new ArrayList<>();
    for (AddedToken marker : markers) {
      if (marker.special()) {
        special.add(marker.content());
      }
      if (marker.special() || template.writes(marker.content())) {
        written.add(marker.content());
      }
    }
    Guard made = new Guard(template, new ControlTokens(special), new ControlTokens(written));
    guard = made;
    return made;
  }

  /**
   * A new decoder of one generation's tokens. Each is for one thread at a time.
   *
   * @param spellsSpecialTokens whether special tokens are spelled out; else they leave no text
   */
  public TokenDecoder newDecoder(boolean spellsSpecialTokens) {
    return new TokenDecoder(parsing, spellsSpecialTokens);
  }

  /** The text of a token alone, a special token spelled out. */
  public String spelled(int id) {
    return spelled(new int[] {id});
  }

  /** The text of tokens decoded at once, special tokens spelled out. */
  String spelled(int[] ids) {
    return parsing.decode(Arrays.stream(ids).asLongStream().toArray(), true);
  }

  /** The id of an added token that may mark structure, by its spelling. */
  OptionalInt addedToken(String spelling) {
    return markers.stream()
        .filter(marker -> marker.content().equals(spelling))
        .mapToInt(AddedToken::id)
        .findFirst();
  }

  /** The text of tokens decoded at once, for tests. */
  String decodeWhole(int[] ids) {
    return parsing.decode(Arrays.stream(ids).asLongStream().toArray(), false);
  }

  private int[] toIds(int[] encoded) {
    if (!guardedIds.isEmpty()) {
      for (int i = 0; i < encoded.length; i++) {
        encoded[i] = guardedIds.getOrDefault(encoded[i], encoded[i]);
      }
    }
    return encoded;
  }

  /** Frees the native tokenizers once calls in flight have ended. */
  @Override
  public void close() {
    parsing.close();
    guarded.close();
  }
}
