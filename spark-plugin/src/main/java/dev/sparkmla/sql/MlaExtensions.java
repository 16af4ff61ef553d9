package dev.sparkmla.sql;

import org.apache.spark.sql.SparkSessionExtensions;
import org.apache.spark.sql.catalyst.FunctionIdentifier;
import org.apache.spark.sql.catalyst.expressions.ExpressionInfo;
import scala.Tuple3;
import scala.runtime.AbstractFunction1;
import scala.runtime.BoxedUnit;

/**
 * Brings {@code llm_generate} and {@code llm_generate_text} into a session: {@code
 * spark.sql.extensions=dev.sparkmla.sql.MlaExtensions}.
 *
 * <p>A call becomes an expression ({@link LlmGenerate}); one rule puts each call into a node of its
 * own ({@link ExtractLlmGenerate}), others find that node its place ({@link ArrangeLlmGenerate},
 * {@link IsolateLlmGenerate}); a strategy plans it ({@link LlmGenerationExec}).
 */
public final class MlaExtensions extends AbstractFunction1<SparkSessionExtensions, BoxedUnit> {
  private static final String ARGUMENTS =
      "(prompt [, params => map('max_tokens', '64', ...)] [, system => '...']"
          + " [, on_error => 'row'|'null'|'fail']"
          + " [, on_overflow => 'error'|'truncate_left'|'truncate_middle'])";

  /** Made by Spark. */
  public MlaExtensions() {}

  @Override
  public BoxedUnit apply(SparkSessionExtensions extensions) {
    inject(
        extensions,
        LlmGenerate.NAME,
        false,
        "continues the prompt, or answers the conversation, with the application's model;"
            + " returns the text, why it ended, token counts and the row's error");
    inject(
        extensions,
        LlmGenerate.TEXT_NAME,
        true,
        "as llm_generate, and returns the text alone; NULL for a row in error");
    extensions.injectOptimizerRule(session -> new ExtractLlmGenerate());
    extensions.injectOptimizerRule(session -> new ArrangeLlmGenerate());
    extensions.injectPreCBORule(session -> new IsolateLlmGenerate());
    extensions.injectPlannerStrategy(session -> new LlmGenerationStrategy());
    return BoxedUnit.UNIT;
  }

  private static void inject(
      SparkSessionExtensions extensions, String name, boolean textOnly, String usage) {
    extensions.injectFunction(
        new Tuple3<>(
            new FunctionIdentifier(name),
            new ExpressionInfo(
                LlmGenerate.class.getName(),
                null,
                name,
                "_FUNC_" + ARGUMENTS + " - " + usage,
                "",
                "",
                "",
                "misc_funcs",
                "4.2.0",
                "",
                "built-in"),
            arguments -> CallArguments.bind(arguments, textOnly)));
  }
}
