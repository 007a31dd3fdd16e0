//! `#[landfall::test]` on an `async fn`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{Attribute, Ident, ItemFn, LitBool, LitInt, Token};

/// What stands in the attribute's parentheses.
#[derive(Debug, Default)]
struct Arguments {
    seeds: Option<u32>,
    test: Option<bool>,
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut arguments = Arguments::default();
        while !input.is_empty() {
            let name: Ident = input.parse()?;
            let is_given = match name.to_string().as_str() {
                "seeds" => arguments.seeds.is_some(),
                "test" => arguments.test.is_some(),
                _ => {
                    let known = "known: `seeds = 20`, `test = false`";
                    let message = format!("unknown argument `{name}`; {known}");
                    return Err(syn::Error::new(name.span(), message));
                }
            };
            if is_given {
                let message = format!("`{name}` is given twice");
                return Err(syn::Error::new(name.span(), message));
            }
            input.parse::<Token![=]>()?;
            if name == "test" {
                arguments.test = Some(input.parse::<LitBool>()?.value);
            } else {
                arguments.seeds = Some(seeds(&input.parse()?)?);
            }
            input.parse::<Option<Token![,]>>()?;
        }
        Ok(arguments)
    }
}

fn seeds(count: &LitInt) -> syn::Result<u32> {
    match count.base10_parse::<u32>()? {
        0 => Err(syn::Error::new(count.span(), "at least one seed must run")),
        count => Ok(count),
    }
}

/// The test, its entry, and the function inside it.
pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let Arguments {
        seeds,
        test: wanted,
    } = syn::parse2(arguments)?;
    let mut function: ItemFn = syn::parse2(item).map_err(|error| {
        syn::Error::new(error.span(), "#[landfall::test] stands on an `async fn`")
    })?;
    check(&function)?;
    let attributes = std::mem::take(&mut function.attrs);
    let (outer, inner): (Vec<Attribute>, Vec<Attribute>) =
        attributes.into_iter().partition(|attribute| {
            ["cfg", "should_panic", "ignore", "doc"]
                .iter()
                .any(|n| attribute.path().is_ident(n))
        });
    function.attrs = inner;
    let conditions = outer
        .iter()
        .filter(|attribute| attribute.path().is_ident("cfg"));
    let conditions: Vec<&Attribute> = conditions.collect();
    let test = &function.sig.ident;
    let name = test.to_string();
    let name = name.trim_start_matches("r#");
    let entry = format_ident!("ENTRY_{}", name.to_uppercase());
    let visibility = &function.vis;
    let seeds = match seeds {
        Some(seeds) => quote!(::core::option::Option::Some(#seeds)),
        None => quote!(::core::option::Option::None),
    };
    let call = (wanted != Some(false)).then(|| {
        quote! {
            #(#outer)*
            #[::core::prelude::v1::test]
            #visibility fn #test() {
                ::landfall::__private::run_hand_test(&#entry)
            }
        }
    });
    Ok(quote! {
        #(#conditions)*
        #[::landfall::__private::linkme::distributed_slice(::landfall::__private::ENTRIES)]
        #[linkme(crate = ::landfall::__private::linkme)]
        static #entry: ::landfall::__private::Entry = ::landfall::__private::Entry {
            name: #name,
            module: ::core::module_path!(),
            file: ::core::file!(),
            line: ::core::line!(),
            kind: ::landfall::__private::EntryKind::Hand {
                seeds: #seeds,
                run: |ctx| {
                    #function
                    ::landfall::__private::run_hand(ctx, || #test())
                },
            },
        };

        #call
    })
}

fn check(function: &ItemFn) -> syn::Result<()> {
    let signature = &function.sig;
    if signature.asyncness.is_none() {
        let message = "a simulation is an `async fn`";
        return Err(syn::Error::new(signature.fn_token.span(), message));
    }
    if let Some(input) = signature.inputs.first() {
        return Err(syn::Error::new(
            input.span(),
            "a simulation takes no parameters",
        ));
    }
    if let Some(generic) = signature.generics.params.first() {
        return Err(syn::Error::new(
            generic.span(),
            "a simulation has no generic parameters",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(arguments: TokenStream, item: TokenStream) -> String {
        let tokens = expand(arguments, item).expect("it expands");
        syn::parse2::<syn::File>(tokens.clone()).expect("the output is Rust");
        tokens.to_string().split_whitespace().collect()
    }

    fn refused(arguments: TokenStream, item: TokenStream) -> String {
        expand(arguments, item)
            .err()
            .map(|e| e.to_string())
            .expect("it is refused")
    }

    #[test]
    fn an_async_fn_becomes_a_test_and_an_entry() {
        let text = expanded(quote!(), quote! { async fn two_clients() { work().await } });
        for expected in [
            "fntwo_clients(){::landfall::__private::run_hand_test(&ENTRY_TWO_CLIENTS)}",
            "asyncfntwo_clients(){work().await}",
            "seeds:::core::option::Option::None",
            "run_hand(ctx,||two_clients())",
        ] {
            assert!(text.contains(expected), "{expected} is not in {text}");
        }
    }

    #[test]
    fn seeds_and_results_are_kept() {
        let item = quote! {
            #[should_panic]
            #[cfg(unix)]
            async fn it() -> Result<(), Error> { Ok(()) }
        };
        let text = expanded(quote!(seeds = 20), item);
        assert!(
            text.contains("seeds:::core::option::Option::Some(20u32)"),
            "{text}"
        );
        assert!(text.contains("asyncfnit()->Result<(),Error>"), "{text}");
        assert_eq!(text.matches("#[cfg(unix)]").count(), 2, "{text}");
        assert_eq!(text.matches("#[should_panic]").count(), 1, "{text}");
    }

    #[test]
    fn without_a_test_there_is_only_an_entry() {
        let item = quote! { async fn it() {} };
        let text = expanded(quote!(test = false, seeds = 3), item.clone());
        assert!(!text.contains("v1::test"), "{text}");
        assert!(text.contains("staticENTRY_IT"), "{text}");
        assert!(text.contains("Some(3u32)"), "{text}");
        assert!(expanded(quote!(test = true), item).contains("v1::test"));
    }

    #[test]
    fn anything_else_is_refused() {
        let function = quote! { async fn it() {} };
        assert!(refused(quote!(seed = 1), function.clone()).contains("unknown argument `seed`"));
        assert!(refused(quote!(seeds = 0), function.clone()).contains("at least one"));
        assert!(refused(quote!(seeds = 1, seeds = 2), function.clone()).contains("twice"));
        let twice = quote!(test = false, test = true);
        assert!(refused(twice, function.clone()).contains("`test` is given twice"));
        assert!(refused(quote!(test = 1), function.clone()).contains("boolean"));
        assert!(refused(quote!(), quote! { fn it() {} }).contains("async fn"));
        assert!(refused(quote!(), quote! { async fn it(a: u8) {} }).contains("no parameters"));
        assert!(refused(quote!(), quote! { async fn it<T>() {} }).contains("generic"));
        assert!(refused(quote!(), quote! { struct It; }).contains("async fn"));
    }
}
