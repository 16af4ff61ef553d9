package dev.sparkmla.sql;

import org.apache.spark.sql.SparkSessionExtensions;
import org.apache.spark.sql.catalyst.FunctionIdentifier;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.ExpressionInfo;
import scala.Function1;
import scala.Tuple3;
import scala.collection.immutable.Seq;
import scala.runtime.AbstractFunction1;
import scala.runtime.BoxedUnit;

/**
 * Adds the functions {@code llm_generate}, {@code llm_generate_text}, {@code llm_count_tokens} and
 * {@code llm_render_chat} to a session: {@code
 * spark.sql.extensions=dev.sparkmla.sql.MlaExtensions}.
 *
 * <p>A call becomes an expression ({@link LlmGenerate}); one rule moves each call to a node of its
 * own ({@link ExtractLlmGenerate}, {@link DeltaCommands}) or refuses it ({@link
 * RefuseStoredCalls}), others move that node within the plan ({@link ArrangeLlmGenerate}, {@link
 * IsolateLlmGenerate}); a strategy plans it ({@link LlmGenerationExec}).
 */
public final class MlaExtensions extends AbstractFunction1<SparkSessionExtensions, BoxedUnit> {
  private static final String GENERATION_ARGUMENTS =
      "(prompt [, params => map('max_tokens', '64', ...)] [, system => '...']"
          + " [, on_error => 'row'|'null'|'fail']"
          + " [, on_overflow => 'error'|'truncate_left'|'truncate_middle'|'truncate_output']"
          + " [, response_format => 'STRUCT<name: STRING, ...>'|'{...}'|'regex: ...'|'choice: [...]'"
          + "|'json'])";

  /** Made by Spark. */
  public MlaExtensions() {}

  @Override
  public BoxedUnit apply(SparkSessionExtensions extensions) {
    inject(
        extensions,
        LlmGenerate.NAME,
        GENERATION_ARGUMENTS,
        arguments -> CallArguments.bind(arguments, false),
        "continues the prompt, or answers the conversation, with the application's model;"
            + " returns the text, why it ended, token counts and the row's error");
    inject(
        extensions,
        LlmGenerate.TEXT_NAME,
        GENERATION_ARGUMENTS,
        arguments -> CallArguments.bind(arguments, true),
        "as llm_generate, and returns the text alone; NULL for a row in error");
    inject(
        extensions,
        LlmPromptFunction.Kind.COUNT_TOKENS.function(),
        "(prompt)",
        arguments -> LlmPromptFunction.bind(LlmPromptFunction.Kind.COUNT_TOKENS, arguments),
        "the tokens of a prompt as the application's model reads it");
    inject(
        extensions,
        LlmPromptFunction.Kind.RENDER_CHAT.function(),
        "(messages)",
        arguments -> LlmPromptFunction.bind(LlmPromptFunction.Kind.RENDER_CHAT, arguments),
        "a conversation as the chat template of the application's model lays it out");
    extensions.injectHintResolutionRule(session -> new RefuseStoredCalls());
    extensions.injectOptimizerRule(session -> new ExtractLlmGenerate());
    extensions.injectOptimizerRule(session -> new ArrangeLlmGenerate());
    extensions.injectPreCBORule(session -> new IsolateLlmGenerate());
    extensions.injectPlannerStrategy(session -> new LlmGenerationStrategy());
    return BoxedUnit.UNIT;
  }

  private static void inject(
      SparkSessionExtensions extensions,
      String name,
      String arguments,
      Function1<Seq<Expression>, Expression> builder,
      String usage) {
    extensions.injectFunction(
        new Tuple3<>(
            new FunctionIdentifier(name),
            new ExpressionInfo(
                MlaExtensions.class.getName(),
                null,
                name,
                "_FUNC_" + arguments + " - " + usage,
                "",
                "",
                "",
                "misc_funcs",
                "4.2.0",
                "",
                "built-in"),
            builder));
  }
}
