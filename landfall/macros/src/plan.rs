//! `plan!("plan.md", system = ...)`, of the whole plan or of one scenario.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use plan_compiler::Compiled;
use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::parse::{Parse, ParseStream};
use syn::{Expr, Ident, LitBool, LitStr, Token};

/// What stands in the macro's parentheses.
struct Arguments {
    path: LitStr,
    system: Expr,
    /// The only scenario that is wanted.
    scenario: Option<String>,
    /// Whether each scenario is a `#[test]` beside an entry.
    test: bool,
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let usage = "expected `plan!(\"plan.md\", system = ...)`";
        let path: LitStr = input
            .parse()
            .map_err(|e| syn::Error::new(e.span(), usage))?;
        input
            .parse::<Token![,]>()
            .map_err(|e| syn::Error::new(e.span(), usage))?;
        let name: Ident = input
            .parse()
            .map_err(|e| syn::Error::new(e.span(), usage))?;
        if name != "system" {
            let message = format!("unknown argument `{name}`; {usage}");
            return Err(syn::Error::new(name.span(), message));
        }
        input
            .parse::<Token![=]>()
            .map_err(|e| syn::Error::new(e.span(), usage))?;
        let system = input.parse()?;
        input.parse::<Option<Token![,]>>()?;
        let (mut scenario, mut test) = (None, true);
        while input.peek(Ident) {
            let name: Ident = input.parse()?;
            input.parse::<Token![=]>()?;
            match name.to_string().as_str() {
                "test" => test = input.parse::<LitBool>()?.value,
                "scenario" => scenario = Some(input.parse::<LitStr>()?.value()),
                _ => {
                    let known = "known: `scenario = \"S1\"`, `test = false`";
                    let message = format!("unknown argument `{name}`; {known}");
                    return Err(syn::Error::new(name.span(), message));
                }
            }
            input.parse::<Option<Token![,]>>()?;
        }
        if !input.is_empty() {
            return Err(input.error(usage));
        }
        Ok(Arguments {
            path,
            system,
            scenario,
            test,
        })
    }
}

/// Reads the plan beside the manifest of the crate being compiled.
pub(crate) fn expand(input: TokenStream) -> syn::Result<TokenStream> {
    let arguments: Arguments = syn::parse2(input)?;
    #[expect(
        clippy::disallowed_methods,
        reason = "how cargo tells a macro where it is"
    )]
    let folder = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let Some(folder) = folder else {
        let message = "the plan's folder is not known: CARGO_MANIFEST_DIR is not set";
        return Err(syn::Error::new(arguments.path.span(), message));
    };
    let text = read(&folder, &arguments.path)?;
    Ok(generate(&arguments, &text))
}

fn read(folder: &Path, path: &LitStr) -> syn::Result<String> {
    let full = folder.join(path.value());
    std::fs::read_to_string(&full).map_err(|error| {
        let message = format!("cannot read the plan {}: {error}", full.display());
        syn::Error::new(path.span(), message)
    })
}

/// A scenario's place in the plan, whether it can run or not.
struct Row {
    name: String,
    id: String,
    line: u32,
}

fn generate(arguments: &Arguments, text: &str) -> TokenStream {
    let compiled = plan_compiler::compile(text);
    let mut rows = rows(&compiled, &arguments.path.value());
    if let Some(wanted) = &arguments.scenario {
        let id_of = |row: &Row| row.id.split('/').next().map(str::to_owned);
        rows.retain(|row| id_of(row).as_ref() == Some(wanted));
        if rows.is_empty() {
            rows.push(Row {
                name: Compiled::test_name(wanted, "is_in_the_plan"),
                id: wanted.clone(),
                line: 1,
            });
        }
    }
    rows.iter().map(|row| entry(arguments, row)).collect()
}

/// Every scenario in the plan's order; a plan without any has one row, which says so when run.
fn rows(compiled: &Compiled, path: &str) -> Vec<Row> {
    let runnable = compiled.scenarios.iter().map(|s| (s.line, &s.id, &s.name));
    let others = compiled
        .not_runnable
        .iter()
        .map(|s| (s.line, &s.id, &s.name));
    let mut all: Vec<(u32, &String, &String)> = runnable.chain(others).collect();
    all.sort();
    if all.is_empty() {
        let name = Compiled::test_name(path, "is_readable");
        return vec![Row {
            name,
            id: String::new(),
            line: 1,
        }];
    }
    let mut taken = BTreeSet::new();
    let row = |(line, id, name): (u32, &String, &String)| {
        let mut test = Compiled::test_name(id, name);
        if !taken.insert(test.clone()) {
            test = format!("{test}_line_{line}");
            taken.insert(test.clone());
        }
        Row {
            name: test,
            id: id.clone(),
            line,
        }
    };
    all.into_iter().map(row).collect()
}

fn entry(arguments: &Arguments, row: &Row) -> TokenStream {
    let Arguments {
        path, system, test, ..
    } = arguments;
    let Row { name, id, line } = row;
    let function = Ident::new(name, Span::call_site());
    let entry = format_ident!("ENTRY_{}", name.to_uppercase());
    let beside = format!("/{}", path.value());
    let call = test.then(|| {
        quote! {
            #[::core::prelude::v1::test]
            fn #function() {
                ::landfall::__private::run_plan_test(&#entry)
            }
        }
    });
    quote! {
        #[::landfall::__private::linkme::distributed_slice(::landfall::__private::ENTRIES)]
        #[linkme(crate = ::landfall::__private::linkme)]
        static #entry: ::landfall::__private::Entry = ::landfall::__private::Entry {
            name: #name,
            module: ::core::module_path!(),
            file: #path,
            line: #line,
            kind: ::landfall::__private::EntryKind::Plan {
                path: #path,
                text: ::core::include_str!(
                    ::core::concat!(::core::env!("CARGO_MANIFEST_DIR"), #beside)
                ),
                scenario: #id,
                run: |ctx| ::landfall::__private::run_scenario(ctx, || #system),
            },
        };

        #call
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: &str = "# Test Plan: kv\n\n\
        ## 1b. Claims under test\n\n\
        | ID | Claim | Category |\n|--|--|--|\n| C1 | A write succeeds after heal | liveness |\n\n\
        ## 7. Scenarios\n\n\
        ### Scenario S1: progress-after-heal\n\
        - Falsifies if it FAILs: C1\n- Workload: 3 clients, 30s\n\
        - Faults: kill -9 the leader at T+5s\n- Landing: processes killed > 0\n\
        - Oracle: a write succeeds within 5s of heal\n\n\
        ### Scenario S2: broken\n- Faults: gremlins\n";

    fn arguments(tokens: TokenStream) -> Arguments {
        syn::parse2(tokens).expect("the arguments are right")
    }

    fn refused(tokens: TokenStream) -> String {
        syn::parse2::<Arguments>(tokens)
            .err()
            .map(|e| e.to_string())
            .expect("it is refused")
    }

    /// What stands for a test in the output, without white space.
    fn squeezed(tokens: &TokenStream) -> String {
        tokens.to_string().split_whitespace().collect()
    }

    #[test]
    fn every_scenario_has_a_test_and_an_entry() {
        let arguments = arguments(quote!("plan.md", system = Kv::new(3)));
        let tokens = generate(&arguments, PLAN);
        let file: syn::File = syn::parse2(tokens.clone()).expect("the output is Rust");
        assert_eq!(file.items.len(), 4);
        let text = squeezed(&tokens);
        for expected in [
            "#[::core::prelude::v1::test]fns1_progress_after_heal()",
            "run_plan_test(&ENTRY_S1_PROGRESS_AFTER_HEAL)",
            "fns2_broken()",
            "name:\"s2_broken\",module:::core::module_path!(),file:\"plan.md\",line:18u32",
            "env!(\"CARGO_MANIFEST_DIR\"),\"/plan.md\"",
            "scenario:\"S2\",run:|ctx|::landfall::__private::run_scenario(ctx,||Kv::new(3))",
            "#[linkme(crate=::landfall::__private::linkme)]static",
        ] {
            assert!(text.contains(expected), "{expected} is not in {text}");
        }
    }

    #[test]
    fn without_tests_there_are_only_entries() {
        let arguments = arguments(quote!("plan.md", system = Kv::new(3), test = false));
        let text = squeezed(&generate(&arguments, PLAN));
        assert!(!text.contains("v1::test"), "{text}");
        assert_eq!(text.matches("distributed_slice(").count(), 2, "{text}");
    }

    #[test]
    fn one_scenario_alone_is_asked_for_and_missed_when_it_is_not_there() {
        let one = arguments(quote!("plan.md", system = Kv, scenario = "S1"));
        let text = squeezed(&generate(&one, PLAN));
        assert_eq!(text.matches("distributed_slice(").count(), 1, "{text}");
        assert!(text.contains("fns1_progress_after_heal()"), "{text}");
        let none = arguments(quote!("plan.md", system = Kv, scenario = "S7", test = true));
        let text = squeezed(&generate(&none, PLAN));
        assert!(text.contains("fns7_is_in_the_plan()"), "{text}");
        assert!(text.contains("scenario:\"S7\""), "{text}");
    }

    #[test]
    fn a_plan_without_scenarios_has_one_test_that_will_fail() {
        let arguments = arguments(quote!("plans/kv.md", system = Kv));
        let text = squeezed(&generate(&arguments, "nothing here"));
        assert!(text.contains("fnplans_kv_md_is_readable()"), "{text}");
        assert!(text.contains("scenario:\"\""), "{text}");
    }

    #[test]
    fn scenarios_of_one_name_keep_a_test_each() {
        let arguments = arguments(quote!("plan.md", system = Kv));
        let plan = "## 7. Scenarios\n### Scenario S1: a\n### Scenario S1: a\n";
        let tokens = generate(&arguments, plan);
        let file: syn::File = syn::parse2(tokens).expect("the output is Rust");
        let mut names = BTreeSet::new();
        for item in &file.items {
            if let syn::Item::Fn(item) = item {
                names.insert(item.sig.ident.to_string());
            }
        }
        assert_eq!(names.len(), 2, "{names:?}");
    }

    #[test]
    fn wrong_arguments_are_named() {
        assert!(refused(quote!()).contains("expected `plan!"));
        assert!(refused(quote!("plan.md")).contains("expected `plan!"));
        assert!(refused(quote!("plan.md", sut = Kv)).contains("unknown argument `sut`"));
        assert!(refused(quote!("plan.md", system = Kv, 3)).contains("expected `plan!"));
        assert!(refused(quote!("p.md", system = Kv, seeds = 3)).contains("argument `seeds`"));
        assert!(refused(quote!("p.md", system = Kv, test = 3)).contains("boolean"));
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let path = LitStr::new("no-such-plan.md", Span::call_site());
        let error = read(Path::new(env!("CARGO_MANIFEST_DIR")), &path);
        let message = error.err().map(|e| e.to_string()).expect("it is not there");
        assert!(message.contains("no-such-plan.md"), "{message}");
    }
}
