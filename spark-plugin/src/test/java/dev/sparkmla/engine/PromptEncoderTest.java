package dev.sparkmla.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.sparkmla.arrow.ErrorCode;
import dev.sparkmla.arrow.GenerationRequest;
import dev.sparkmla.arrow.OverflowPolicy;
import dev.sparkmla.arrow.Prompt;
import dev.sparkmla.text.ChatTemplate;
import dev.sparkmla.text.Conversation;
import dev.sparkmla.text.Message;
import dev.sparkmla.text.TemplateOptions;
import dev.sparkmla.text.Tokenizer;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class PromptEncoderTest {
  private static final int WINDOW = 100;
  private static final int NEW = 20;
  private static final int ROOM = WINDOW - NEW;

  private static Tokenizer tokenizer;
  private static ChatTemplate template;
  private static PromptEncoder encoder;

  @BeforeAll
  static void open() {
    tokenizer = DemoText.openTokenizer();
    template = DemoText.openTemplate();
    encoder = new PromptEncoder(tokenizer, Optional.of(template), WINDOW, 6400);
  }

  @AfterAll
  static void close() {
    tokenizer.close();
  }

  private static int[] encode(PromptEncoder encoder, GenerationRequest request, int maxTokens) {
    return fit(encoder, request, new TokenLimit.AtMost(maxTokens)).ids();
  }

  private static FittedPrompt fit(
      PromptEncoder encoder, GenerationRequest request, TokenLimit limit) {
    PromptLayout prompt = encoder.layOut(request, TemplateOptions.NONE);
    return encoder.fit(prompt, encoder.encodeAll(List.of(prompt)).get(0), limit);
  }

  private static GenerationRequest raw(String text, OverflowPolicy policy) {
    return new GenerationRequest(new Prompt.Raw(text), Optional.empty(), Map.of(), policy);
  }

  private static GenerationRequest chat(
      Optional<String> system, OverflowPolicy policy, Message... messages) {
    return new GenerationRequest(new Prompt.Chat(List.of(messages)), system, Map.of(), policy);
  }

  private static String numbers(int from, int to) {
    StringBuilder text = new StringBuilder();
    for (int i = from; i < to; i++) {
      text.append("fact ").append(i).append(". ");
    }
    return text.toString();
  }

  private static void assertRefused(
      GenerationRequest request, int maxTokens, ErrorCode code, String message) {
    assertThatThrownBy(() -> encode(encoder, request, maxTokens))
        .isInstanceOfSatisfying(
            RowErrorException.class, e -> assertThat(e.error().code()).isEqualTo(code))
        .hasMessageContaining(message);
  }

  @Test
  void encodesARawPromptAsItStands() {
    String text = "The access code. <|end|>";
    assertThat(encode(encoder, raw(text, OverflowPolicy.ERROR), NEW))
        .isEqualTo(tokenizer.encodePrompt(text));
  }

  @Test
  void laysOutConversations() {
    Message question = new Message("user", "What is the code?");
    Message system = new Message("system", "Be brief.");
    Message ownSystem = new Message("system", "Be long.");

    int[] both = tokenizer.encodeChat(template, Conversation.of(List.of(system, question)));
    assertThat(encode(encoder, chat(Optional.empty(), OverflowPolicy.ERROR, question), NEW))
        .isEqualTo(tokenizer.encodeChat(template, Conversation.of(List.of(question))));
    assertThat(encode(encoder, chat(Optional.of("Be brief."), OverflowPolicy.ERROR, question), NEW))
        .isEqualTo(both);
    assertThat(
            encode(
                encoder,
                new GenerationRequest(
                    new Prompt.Raw("What is the code?"),
                    Optional.of("Be brief."),
                    Map.of(),
                    OverflowPolicy.ERROR),
                NEW))
        .isEqualTo(both);
    assertThat(
            encode(
                encoder,
                chat(Optional.of("Be brief."), OverflowPolicy.ERROR, ownSystem, question),
                NEW))
        .isEqualTo(tokenizer.encodeChat(template, Conversation.of(List.of(ownSystem, question))));
  }

  @Test
  void continuesTheAssistantsMessageAlone() {
    TemplateOptions continued = new TemplateOptions(Optional.empty(), Optional.empty(), true);
    Message question = new Message("user", "What is the code?");
    Message begun = new Message("assistant", "The code is ");
    PromptLayout prompt =
        encoder.layOut(chat(Optional.empty(), OverflowPolicy.ERROR, question, begun), continued);
    assertThat(prompt.kind()).isEqualTo(PromptKind.CONTINUED_MESSAGE);
    assertThat(encoder.encodeAll(List.of(prompt)).get(0).orElseThrow())
        .isEqualTo(
            tokenizer.encodeChat(template, new Conversation(List.of(question, begun), continued)));

    GenerationRequest asked = chat(Optional.empty(), OverflowPolicy.ERROR, begun, question);
    assertThatThrownBy(() -> encoder.layOut(asked, continued))
        .isInstanceOf(RowErrorException.class)
        .hasMessageContaining("the last message is of user");
    assertThat(encoder.layOut(raw("The code is", OverflowPolicy.ERROR), continued).kind())
        .isEqualTo(PromptKind.TEXT);
  }

  @Test
  void refusesPartsThatAreNoTextsByTheirType() {
    Message image =
        new Message(
            "user",
            null,
            Optional.of(
                "{\"content\": [{\"type\": \"text\", \"text\": \"x\"},"
                    + " {\"type\": \"image_url\", \"image_url\": {\"url\": \"u\"}}]}"));
    assertRefused(
        chat(Optional.empty(), OverflowPolicy.ERROR, image),
        NEW,
        ErrorCode.INVALID_PROMPT,
        "Message 1 of the conversation has a part of type image_url; the model reads parts of type"
            + " text.");
  }

  @Test
  void refusesEmptyPrompts() {
    assertRefused(raw("", OverflowPolicy.ERROR), NEW, ErrorCode.EMPTY_PROMPT, "empty text");
    assertRefused(
        chat(Optional.empty(), OverflowPolicy.ERROR), NEW, ErrorCode.INVALID_PROMPT, "no messages");
    assertThat(encode(encoder, raw(" ", OverflowPolicy.ERROR), NEW)).isNotEmpty();
  }

  @Test
  void refusesMessagesWithoutRoleOrContent() {
    Message whole = new Message("user", "x");
    assertRefused(
        chat(Optional.empty(), OverflowPolicy.ERROR, whole, new Message(null, "x")),
        NEW,
        ErrorCode.INVALID_PROMPT,
        "Message 2 of the conversation has no role");
    assertRefused(
        chat(Optional.of("s"), OverflowPolicy.ERROR, new Message("user", null)),
        NEW,
        ErrorCode.INVALID_PROMPT,
        "Message 1 of the conversation has no content");
  }

  @Test
  void refusesConversationsWithoutATemplate() {
    PromptEncoder without = new PromptEncoder(tokenizer, Optional.empty(), WINDOW, 6400);
    assertThatThrownBy(
            () ->
                encode(
                    without,
                    chat(Optional.empty(), OverflowPolicy.ERROR, new Message("user", "x")),
                    NEW))
        .isInstanceOfSatisfying(
            RowErrorException.class,
            e -> assertThat(e.error().code()).isEqualTo(ErrorCode.INVALID_PROMPT))
        .hasMessageContaining("no chat template");
    assertThat(encode(without, raw("x", OverflowPolicy.ERROR), NEW)).isNotEmpty();
  }

  @Test
  void encodesSeveralPromptsAtOnce() {
    List<GenerationRequest> requests =
        List.of(
            raw("The access code.", OverflowPolicy.ERROR),
            chat(Optional.empty(), OverflowPolicy.ERROR, new Message("user", "Which?")),
            raw(numbers(100, 200), OverflowPolicy.TRUNCATE_LEFT));
    List<PromptLayout> prompts =
        requests.stream().map(request -> encoder.layOut(request, TemplateOptions.NONE)).toList();
    List<Optional<int[]>> ids = encoder.encodeAll(prompts);
    for (int i = 0; i < requests.size(); i++) {
      assertThat(encoder.fit(prompts.get(i), ids.get(i), new TokenLimit.AtMost(NEW)).ids())
          .isEqualTo(encode(encoder, requests.get(i), NEW));
    }
  }

  @Test
  void takesAPromptThatJustFits() {
    String text = "1".repeat(200);
    int[] all = tokenizer.encodePrompt(text);
    String fitting = text.substring(0, 200 - (all.length - ROOM));
    assertThat(tokenizer.encodePrompt(fitting)).hasSize(ROOM);

    assertThat(encode(encoder, raw(fitting, OverflowPolicy.ERROR), NEW)).hasSize(ROOM);
    assertRefused(
        raw(fitting, OverflowPolicy.ERROR),
        NEW + 1,
        ErrorCode.PROMPT_TOO_LONG,
        "The prompt has 80 tokens, which with 21 new tokens is too long for the context window of"
            + " 100 tokens");
    assertRefused(
        raw(fitting, OverflowPolicy.ERROR), Integer.MAX_VALUE, ErrorCode.PROMPT_TOO_LONG, "100");
  }

  @Test
  void theWholeCacheIsALimitToo() {
    PromptEncoder small = new PromptEncoder(tokenizer, Optional.of(template), WINDOW, 64);
    assertThatThrownBy(() -> encode(small, raw("1".repeat(60), OverflowPolicy.ERROR), NEW))
        .isInstanceOf(RowErrorException.class)
        .hasMessageContaining("KV cache of 64 tokens");
  }

  /** As far as they are counted: a text of too many characters is made no tokens. */
  @Test
  void aPromptThatIsTooLongHasItsTokensInTheResult() {
    String text = "1".repeat(200);
    String huge = "1".repeat(1_000_000);
    PromptEncoder tiny = new PromptEncoder(tokenizer, Optional.of(template), NEW, 6400);

    assertThat(promptTokensOfRefused(encoder, raw(text, OverflowPolicy.ERROR)))
        .isEqualTo(tokenizer.encodePrompt(text).length);
    for (OverflowPolicy policy : OverflowPolicy.values()) {
      if (policy != OverflowPolicy.TRUNCATE_OUTPUT) {
        assertThat(promptTokensOfRefused(tiny, raw("word", policy)))
            .isEqualTo(tokenizer.encodePrompt("word").length);
      }
    }
    assertThat(promptTokensOfRefused(encoder, raw(huge, OverflowPolicy.ERROR))).isZero();
  }

  private static int promptTokensOfRefused(PromptEncoder encoder, GenerationRequest request) {
    RowErrorException refused =
        catchThrowableOfType(RowErrorException.class, () -> encode(encoder, request, NEW));
    assertThat(refused.error().code()).isEqualTo(ErrorCode.PROMPT_TOO_LONG);
    return refused.result().promptTokens();
  }

  @Test
  void newTokensAloneMayBeTooMany() {
    for (OverflowPolicy policy : OverflowPolicy.values()) {
      if (policy != OverflowPolicy.TRUNCATE_OUTPUT) {
        assertRefused(
            raw("text", policy), WINDOW, ErrorCode.PROMPT_TOO_LONG, WINDOW + " new tokens");
      }
    }
  }

  @Test
  void shortensTheOutputWhereThePromptIsToStayWhole() {
    GenerationRequest request = raw("1".repeat(60), OverflowPolicy.TRUNCATE_OUTPUT);
    int[] prompt = tokenizer.encodePrompt("1".repeat(60));
    int room = WINDOW - prompt.length;
    assertThat(room).isBetween(2, WINDOW - 1);

    for (int asked : new int[] {1, room - 1, room, room + 1, WINDOW, Integer.MAX_VALUE}) {
      FittedPrompt fitted = fit(encoder, request, new TokenLimit.AtMost(asked));
      assertThat(fitted.ids()).isEqualTo(prompt);
      assertThat(fitted.maxTokens()).isEqualTo(Math.min(asked, room));
    }
    assertRefused(
        raw("1".repeat(200), OverflowPolicy.TRUNCATE_OUTPUT),
        NEW,
        ErrorCode.PROMPT_TOO_LONG,
        "which with 1 new token is too long for the context window of 100 tokens; shorten the prompt"
            + " or have long prompts truncated.");
  }

  @Test
  void anAutomaticLimitIsWhatThePromptLeaves() {
    TokenLimit auto = new TokenLimit.Auto();
    PromptEncoder small = new PromptEncoder(tokenizer, Optional.of(template), WINDOW, 64);
    String text = "1".repeat(40);
    int prompt = tokenizer.encodePrompt(text).length;

    for (OverflowPolicy policy : OverflowPolicy.values()) {
      assertThat(fit(encoder, raw(text, policy), auto).maxTokens()).isEqualTo(WINDOW - prompt);
      assertThat(fit(small, raw(text, policy), auto).maxTokens()).isEqualTo(64 - prompt);
    }
    FittedPrompt cut = fit(encoder, raw("1".repeat(200), OverflowPolicy.TRUNCATE_LEFT), auto);
    assertThat(cut.ids().length + cut.maxTokens()).isEqualTo(WINDOW);
    assertThat(cut.ids()).hasSize(WINDOW - 1);
    assertThatThrownBy(() -> fit(encoder, raw("1".repeat(200), OverflowPolicy.ERROR), auto))
        .isInstanceOf(RowErrorException.class)
        .hasMessageContaining("with 1 new token");
  }

  @Test
  void truncatesARawPromptOnTheLeft() {
    String text = numbers(100, 200);
    int[] ids = encode(encoder, raw(text, OverflowPolicy.TRUNCATE_LEFT), NEW);

    String kept = DemoText.decode(tokenizer, ids);
    assertThat(text).endsWith(kept);
    assertThat(ids.length).isBetween(ROOM - 3, ROOM);
    assertThat(ids).isEqualTo(tokenizer.encodePrompt(kept));
    String oneMore = text.substring(text.length() - kept.length() - 1);
    assertThat(tokenizer.encodePrompt(oneMore).length).isGreaterThan(ROOM);
  }

  @Test
  void truncatesARawPromptInTheMiddle() {
    String text = numbers(100, 200);
    int[] ids = encode(encoder, raw(text, OverflowPolicy.TRUNCATE_MIDDLE), NEW);

    String kept = DemoText.decode(tokenizer, ids);
    assertThat(ids.length).isBetween(ROOM - 3, ROOM);
    int head = (kept.length() + 1) / 2;
    assertThat(text).startsWith(kept.substring(0, head));
    assertThat(text).endsWith(kept.substring(head));
  }

  @ParameterizedTest
  @EnumSource(names = {"TRUNCATE_LEFT", "TRUNCATE_MIDDLE"})
  void truncatesTheLongestMessageAndKeepsTheMarkup(OverflowPolicy policy) {
    String document = numbers(100, 200);
    Message question = new Message("user", "Which fact is last?");
    int[] ids =
        encode(
            encoder,
            chat(Optional.of("Be brief."), policy, new Message("user", document), question),
            NEW);

    assertThat(ids.length).isBetween(ROOM - 3, ROOM);
    // What stays of the document is what is left when the rest of the layout is taken away.
    String all = DemoText.decode(tokenizer, ids);
    assertThat(all).startsWith("Be brief.").endsWith("Which fact is last?");
    String kept = all.substring("Be brief.".length(), all.length() - question.content().length());
    assertThat(kept).isNotEmpty();
    assertThat(ids)
        .isEqualTo(
            tokenizer.encodeChat(
                template,
                Conversation.of(
                    List.of(
                        new Message("system", "Be brief."), new Message("user", kept), question))));
    if (policy == OverflowPolicy.TRUNCATE_LEFT) {
      assertThat(document).endsWith(kept);
    } else {
      assertThat(document).startsWith(kept.substring(0, (kept.length() + 1) / 2));
    }
  }

  @Test
  void cutsTheNextLongestWhenNothingOfTheLongestCanStay() {
    Message longest = new Message("user", numbers(100, 160));
    Message next = new Message("user", numbers(200, 250));
    int[] ids =
        encode(encoder, chat(Optional.empty(), OverflowPolicy.TRUNCATE_LEFT, longest, next), NEW);

    String kept = DemoText.decode(tokenizer, ids);
    assertThat(kept).isNotEmpty();
    assertThat(next.content()).endsWith(kept);
    assertThat(ids)
        .isEqualTo(
            tokenizer.encodeChat(
                template,
                Conversation.of(List.of(new Message("user", ""), new Message("user", kept)))));
  }

  @Test
  void aHugeTextIsRefusedByItsLength() {
    String huge = "lantern ".repeat(3_000_000);
    String message = "The prompt has 24000000 characters, which with 20 new tokens is too long";

    assertRefused(raw(huge, OverflowPolicy.ERROR), NEW, ErrorCode.PROMPT_TOO_LONG, message);
    assertRefused(
        chat(Optional.empty(), OverflowPolicy.ERROR, new Message("user", huge)),
        NEW,
        ErrorCode.PROMPT_TOO_LONG,
        message);
  }

  @Test
  void aHugeTextIsCutAsItsEndWouldBe() {
    String end = numbers(0, 400);
    String huge = "lantern ".repeat(3_000_000) + end;

    assertThat(encode(encoder, raw(huge, OverflowPolicy.TRUNCATE_LEFT), NEW))
        .isEqualTo(encode(encoder, raw(end, OverflowPolicy.TRUNCATE_LEFT), NEW));
    assertThat(
            encode(
                encoder,
                chat(Optional.empty(), OverflowPolicy.TRUNCATE_LEFT, new Message("user", huge)),
                NEW))
        .hasSizeLessThanOrEqualTo(ROOM);
  }

  /** Few enough characters for the cache, too many of one kind for the tokenizer's patterns. */
  @Test
  void aRunThatTheTokenizerDoesNotTakeIsTooLong() {
    PromptEncoder roomy = new PromptEncoder(tokenizer, Optional.of(template), 1 << 20, 1 << 20);
    String spaces = " ".repeat(12_000_000) + "x";

    assertThatThrownBy(() -> encode(roomy, raw(spaces, OverflowPolicy.ERROR), NEW))
        .isInstanceOfSatisfying(
            RowErrorException.class,
            e -> assertThat(e.error().code()).isEqualTo(ErrorCode.PROMPT_TOO_LONG))
        .hasMessageContaining("12000000 characters of white space in a row");
  }

  @Test
  void markupAloneMayBeTooLong() {
    Message[] messages = new Message[60];
    Arrays.fill(messages, new Message("user", "x"));
    assertRefused(
        chat(Optional.empty(), OverflowPolicy.TRUNCATE_LEFT, messages),
        NEW,
        ErrorCode.PROMPT_TOO_LONG,
        "Nothing of the prompt's text can stay");
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4})
  void truncatedPromptsFitAndHoldNoHalfCharacters(long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    int[] alphabet = {'a', ' ', '7', 'é', '中', 0x1F600, 0x10FFFF};
    for (int i = 0; i < 15; i++) {
      StringBuilder text = new StringBuilder();
      int length = random.nextInt(1, 400);
      for (int c = 0; c < length; c++) {
        text.appendCodePoint(alphabet[random.nextInt(alphabet.length)]);
      }
      OverflowPolicy policy =
          random.nextBoolean() ? OverflowPolicy.TRUNCATE_LEFT : OverflowPolicy.TRUNCATE_MIDDLE;
      int maxTokens = random.nextInt(1, WINDOW - 10);
      GenerationRequest request =
          random.nextBoolean()
              ? raw(text.toString(), policy)
              : chat(Optional.empty(), policy, new Message("user", text.toString()));

      int[] ids = encode(encoder, request, maxTokens);

      assertThat(ids.length).isBetween(1, WINDOW - maxTokens);
      assertThat(DemoText.decode(tokenizer, ids)).doesNotContain("\uFFFD");
    }
  }
}
